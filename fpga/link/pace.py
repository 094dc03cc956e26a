"""How long to wait for an answer, and how much to ask for at once: learned from what came back."""

__all__ = ["HEADS", "Pace"]

HEADS = 44
"""Bytes of a request and its answer beside their words: those of one command."""

_SURE = 0.7
"""Damages in a request and its answer that are expected at most: half of them then come through."""

_PATIENT_S = 0.5
"""How much longer to wait where nothing says that answers are late."""

_REMEMBERED = 1 << 16
"""Bytes after which what was seen counts half."""


class Pace:
    """Waits as TCP does, from the mean and the deviation of the time to an answer, and shorter requests on a bad line.

    A request that is not answered in time was lost, and is sent again soon; or answers take longer than they did, which
    shows when one comes twice: only then waits grow.

    Parameters
    ----------
    byte_s
        Seconds that a byte takes on the line.
    first
        Seconds to wait for the first answer, beside its time on the line.
    longest
        Seconds to wait at most.
    """

    def __init__(self, byte_s: float, first: float, longest: float) -> None:
        self.turn_s = 0.0
        """Mean time until an answer begins, execution included; 0 until one was seen."""
        self._byte_s, self._least, self._longest = byte_s, first / 16, longest
        self._wait, self._spread_s, self._most = first, 0.0, max(2 * first, 1.0)
        self._grown = HEADS * 5 // 4
        self._bytes = self._lost = 0.0

    def wait(self, length: int) -> float:
        """Seconds until a request is sent again that is with its answer at most ``length`` bytes long."""
        return self._wait + self._byte_s * length

    def missed(self) -> None:
        """No answer came in that time."""
        self._wait = min(1.5 * self._wait, self._most)

    def answered(self, seconds: float, length: int, attempts: int) -> None:
        """An answer came, ``seconds`` after the request was sent ``attempts`` times; both are ``length`` bytes long."""
        self._lost += attempts - 1
        self._bytes += attempts * length
        if self._bytes > _REMEMBERED:
            self._bytes, self._lost = self._bytes / 2, self._lost / 2
        if attempts > 1:
            return  # nobody knows which of them was answered
        self._grown = max(self._grown, length)
        sample = max(seconds - self._byte_s * length, 0.0)
        if not self.turn_s:
            self.turn_s, self._spread_s = sample, sample / 2
        self._spread_s += (abs(sample - self.turn_s) - self._spread_s) / 4
        self.turn_s += (sample - self.turn_s) / 8
        self._wait = min(self.turn_s + max(4 * self._spread_s, self.turn_s / 4, self._least), self._longest)
        self._most = min(4 * self._wait, self._wait + _PATIENT_S, self._longest)

    def late(self) -> None:
        """An answer came that was not waited for any more: it was not lost."""
        self._lost = max(self._lost - 1, 0.0)
        self._most = min(2 * self._most, self._longest)

    @property
    def room(self) -> int:
        """Bytes of the next request and its answer: twice those that came through, fewer where many are damaged."""
        rate = self._lost / self._bytes if self._lost else 0.0
        return int(min(2 * self._grown, _SURE / rate if rate else 2 * self._grown))
