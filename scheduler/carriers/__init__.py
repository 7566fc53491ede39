"""Who takes a text to a phone? One carrier a file; each keeps the promise of `scheduler.ports.Carrier`."""
