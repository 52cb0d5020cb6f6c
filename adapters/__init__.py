"""Adapters: one package per boosting library, all with the same public names.

The adapters translate conventions (shape, order, sign, dtype, weights, init score, metric direction) and contain no
mathematics. Importing an adapter imports only its own library.

The folder is in the top-level directory of the repository. The symbolic link ``boosting_losses/adapters`` makes it importable
as ``boosting_losses.adapters`` from a checkout. In an installed package it is a regular folder at that location.
"""
