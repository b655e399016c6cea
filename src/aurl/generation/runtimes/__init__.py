"""What computes logits, one module a library, so that a program imports only the one it runs on."""
