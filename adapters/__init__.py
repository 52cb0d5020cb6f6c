"""Boosting libraries: one package each, with the same public names in all.

They translate conventions (shape, order, sign, dtype, weights, init score, metric direction) and do no mathematics.
Importing one imports its library and no other.

The folder stands at the top of the repository, where users look for it. The link ``boosting_losses/adapters`` lets a checkout
import it under its name, ``boosting_losses.adapters``; an installed package holds it there as a folder.
"""
