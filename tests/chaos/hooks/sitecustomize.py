"""Loaded by Python itself in every broker process that the harness starts, and in no other: the broker knows nothing.

CHAOS_ARMED     a folder: whoever passes a point whose name is a file in there, and can remove that file, dies
CHAOS_KILLS     the file that tells of each such death: time, process id, point
CHAOS_LATENCY   how long the provider takes to decide, in seconds: so that one can die before and after it does
CHAOS_CLOCK     seconds by which this process's wall clock is wrong
"""

import os

import clock
import points

if os.environ.get("CHAOS_CLOCK"):
    clock.shift(float(os.environ["CHAOS_CLOCK"]))
if os.environ.get("CHAOS_ARMED"):
    points.install(os.environ["CHAOS_ARMED"], os.environ["CHAOS_KILLS"], float(os.environ["CHAOS_LATENCY"]))
