"""`flux policy`: images and apps that the network voted not to run."""
