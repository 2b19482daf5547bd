"""What every use case is given: recorder, session, actuators, local cache."""
