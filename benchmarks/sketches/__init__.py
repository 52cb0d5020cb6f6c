"""The study behind ``Sketch``: trees for many classes whose structure is found on a sketch of the gradient.

a) ``methods`` defines the candidates: XGBoost's two builtin strategies, and objectives that use a reduced gradient.
b) ``sets`` provides development data, and other data for judging, which were first used after the defaults had been fixed.
c) ``race`` trains once and returns the losses on both held-out parts and the elapsed seconds, by round.
d) ``study`` runs the races of both stages and saves each as soon as it is finished.
e) ``results`` compares a method with XGBoost's own strategies; ``summary`` and ``figure`` present the results.
"""
