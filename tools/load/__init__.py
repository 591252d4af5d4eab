"""`make load` and `make soak`: a filled stack under the traffic of people.

world        the stack, with people, photos, history and a model
traffic      requests at random times, which do not wait for answers
objectives   what must hold, and what held in a stretch of traffic
processes    processor time, memory, open files and connections of every process
steps        traffic that rises until an objective breaks, then too much of it, then less
report       the HTML page of `make load`
soak         steady traffic for an hour, and what grew
"""
