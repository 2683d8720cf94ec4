"""From nothing to real weights: what there is to get, fetching it, converting and trying it, putting it in its place.

The only room that talks to the network. The daemon never enters it.
"""
