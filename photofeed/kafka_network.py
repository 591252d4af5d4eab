"""The network client of producers: it waits for a broker instead of asking it over and over."""

from kafka.net.compat import KafkaNetClient

_LONGEST_WAIT_MS = 1_000.0


class ProducerNetClient(KafkaNetClient):  # type: ignore[misc]  # kafka-python has no types
    """Tells the producer's thread how long it may wait for a broker to which it cannot send now.

    kafka-python 3.0.12 answers 0 for a broker that is connected or being connected, and seconds where its producer
    expects milliseconds. With one request at a time per broker, the thread then polls without pause until the reply
    has come, and takes the GIL from requests.
    """

    def connection_delay(self, node_id: int) -> float:
        """Milliseconds until the broker may be connected to again, or else until the thread looks again by itself.

        A reply, a connection that was made or lost, and a new batch wake the thread earlier.
        """
        backoff_seconds: float = super().connection_delay(node_id)
        return backoff_seconds * 1_000 or _LONGEST_WAIT_MS
