"""Where weights come from: checkpoints are converted once into a folder, and the daemon reads only that folder.

`convert` turns other people's files into a folder and needs no MLX; `folder` reads one back and needs no converter.
Nothing in here executes what a file says, reaches the network, or knows how the network computes.
"""
