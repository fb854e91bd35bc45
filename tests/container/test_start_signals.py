#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A signal at any moment of the start reaches the program, or ends the launch with nothing left."""

import os
import signal
import time

import harness
import signal_case

ROUNDS = int(os.environ.get("PV_TEST_ROUNDS", "120"))
MORE_ROUNDS = 8

# The program's own, by the signal that it gets.
STATUS = {signal.SIGTERM: 71, signal.SIGINT: 72, signal.SIGHUP: 73, signal.SIGQUIT: 74}


def send(process, number):
    os.kill(process.pid, number)


def send_to_group(process, number):
    """As timeout(1) does."""
    os.kill(process.pid, number)
    os.killpg(process.pid, number)


def stop_and_send(process, number):
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(process.pid, number)
    os.kill(process.pid, signal.SIGCONT)


def stop_all_and_send(process, number):
    os.killpg(process.pid, signal.SIGSTOP)
    os.kill(process.pid, number)
    os.killpg(process.pid, signal.SIGCONT)


class StartTest(signal_case.SignalCase):
    def setUp(self):
        super().setUp()
        self.ref = self.files / ".ref"
        self.words = [f"clean-for={int(number)},0,{status}" for number, status in STATUS.items()]

    def start_round(self, options):
        return self.start_program(*self.words, "say=ready", "pause", options=options,
                                  start_new_session=True)

    def measure(self, options):
        """Seconds until the program runs."""
        began = time.monotonic()
        process = self.start_round(options)
        self.expect(process, "ready")
        duration = time.monotonic() - began
        process.terminate()
        self.assert_ended(process, STATUS[signal.SIGTERM], "cleaning 15", "cleaned 15")
        return duration

    def check_round(self, process, number, delay):
        result = self.finish(process)
        about = f"{number!r} after {delay * 1000:.2f} ms: {result.status} {result.text!r}"
        self.assertEqual(result.err, "", about)
        said = [line for line in result.text.splitlines() if line != "ready"]
        if said or "ready" in result.text:
            self.assertEqual(said, [f"cleaning {int(number)}", f"cleaned {int(number)}"], about)
            self.assertEqual(result.status, STATUS[number], about)
        elif result.status != STATUS[number]:
            self.assertIn(result.status, (-number, 128 + number), about)
        # Who has died of it did so before there was a container; its getent(1) ends by itself.
        if result.status == -number:
            signal_case.wait_until(lambda: not harness.list_descendants(os.getpid()), about)
        left = [harness.describe_process(pid) for pid in harness.list_descendants(os.getpid())]
        self.assertEqual(left, [], about)
        self.assertFalse(harness.is_locked(self.ref), about)
        return bool(said)

    def start_locked(self, options):
        """When getent(1), which is asked about the user and obeys nobody here, has ended."""
        process, reader = self.start_reporting(*self.words, "say=ready", "pause", options=options,
                                               start_new_session=True)
        self.wait_for_event(reader, "locked")
        reader.close()
        return process

    def sweep(self, numbers, how, share=1, start=None):
        start = start or self.start_round
        rounds = int(ROUNDS * share)
        for options in signal_case.WAYS:
            end = 1.2 * min(self.measure(options) for _ in range(3))
            reached = 0
            i = 0
            # With others beside it a start may take longer than all that were measured.
            while i < rounds or (reached == 0 and i < rounds + MORE_ROUNDS):
                number = numbers[i % len(numbers)]
                delay = end * i / rounds if i < rounds else end * 2 ** (i - rounds + 1)
                process = start(options)
                time.sleep(delay)
                how(process, number)
                reached += self.check_round(process, number, delay)
                self.processes.clear()
                i += 1
            with self.subTest(options):
                self.assertGreater(reached, 0, "no signal has reached the program")
                self.assertLess(reached, rounds, "no signal came before the program")

    def test_term(self):
        self.sweep([signal.SIGTERM], send)

    def test_to_the_group(self):
        self.sweep([signal.SIGTERM], send_to_group)

    def test_others(self):
        self.sweep([signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], send)

    def test_others_to_the_group(self):
        self.sweep([signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], send_to_group, 0.5)

    def test_stopped(self):
        self.sweep([signal.SIGTERM], stop_and_send, 0.5)

    def test_all_stopped(self):
        self.sweep([signal.SIGTERM], stop_all_and_send, 0.5, self.start_locked)


if __name__ == "__main__":
    harness.main()
