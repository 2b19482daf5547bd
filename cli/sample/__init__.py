"""Sample data of a made-up bot, for `rollout demo`."""
