"""Successive halving (Jamieson and Talwalkar 2016) and ASHA (Li et al. 2020)."""
