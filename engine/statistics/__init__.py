"""From counts to decisions: no device, no file of the user's, no clock."""
