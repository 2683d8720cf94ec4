"""How fast it is: the network alone, beside its peers, and behind the socket. Every figure is measured in one run."""
