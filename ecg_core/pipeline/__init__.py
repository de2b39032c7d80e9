"""The use cases: the only room that joins the others.

`score` turns a recording into a result, `inbox` works through what arrived, `retrain` makes and judges model versions,
`reports` hands reports to a browser. The command line, the DAGs and the tests call these, and nothing else does.
"""
