"""Population based training (Jaderberg et al. 2017, arXiv:1711.09846)."""
