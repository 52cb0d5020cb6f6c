"""Is it worth while to find the structure of many-class trees on a sketch of the gradient? The study behind ``Sketch``.

a) ``methods`` has the candidates: XGBoost's two builtin strategies, and objectives that differ in what they let trees see.
b) ``sets`` has data to develop on, and other data to judge by, which were first looked at when the defaults were fixed.
c) ``race`` trains once and keeps the losses on both held-out parts and the seconds, round by round.
d) ``study`` runs the races of both stages, and keeps each as soon as it is over.
e) ``results`` compares a method with XGBoost's own, ``summary`` makes tables of that, ``figure`` a picture.
"""
