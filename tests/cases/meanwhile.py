# SPDX-License-Identifier: GPL-2.0-only
"""What others do while a case looks."""
import contextlib
import threading


@contextlib.contextmanager
def meanwhile(function):
    """Calls it in a thread over and over; an exception there is one here."""
    done, failed, calls = threading.Event(), [], [0]

    def run():
        try:
            while not done.is_set():
                function()
                calls[0] += 1
        except BaseException as e:
            failed.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield calls
    finally:
        done.set()
        thread.join()
    if failed:
        raise failed[0]
