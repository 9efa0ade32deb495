"""Looking after the home: what may go, and what a crash has left. Never touches a build that is live."""
