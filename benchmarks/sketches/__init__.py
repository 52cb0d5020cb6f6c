"""The study behind ``Sketch``: trees of many classes whose structure is found on a sketch of the gradient.

a) ``methods`` has the candidates: XGBoost's two builtin strategies, and objectives that show the trees less of the gradient.
b) ``sets`` has data to develop on, and other data to judge by, which were first used when the defaults were fixed.
c) ``race`` trains once and returns the losses on both held-out parts and the seconds, round by round.
d) ``study`` runs the races of both stages and keeps each as soon as it is over.
e) ``results`` compares a method with XGBoost's own strategies, ``summary`` makes tables of that, ``figure`` a picture.
"""
