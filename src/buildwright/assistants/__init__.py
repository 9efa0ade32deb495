"""Tools for assistants by the Model Context Protocol: what may be done with builds, over any client of them."""
