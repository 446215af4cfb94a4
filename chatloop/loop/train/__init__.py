"""From labelled texts to a calibrated intent classifier and the parts that serve it.

`fit` trains, `calibrate` finds the temperature, `export` writes what `turn.classify` reads.
Judging the result (metrics, certificate, gate) belongs to `evaluate`.
"""
