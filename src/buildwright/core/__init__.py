"""The pure core: what a build is and what happens next. Must never touch a clock, a file, a process or a network."""
