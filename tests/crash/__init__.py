"""kill -9 at every durable write and outside effect of whole builds, then again during the recovery. Changes nothing outside
the folders it is given."""
