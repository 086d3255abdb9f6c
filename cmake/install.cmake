# The installable library: weir::engine and the public headers.
