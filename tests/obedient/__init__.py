"""An agent that obeys whatever it reads, and what stands around it: `agent.py` acts, `injections.py` asks, `world.py` watches."""
