"""A server that can be away for a while, as one is that is started anew: open connections end, new ones are refused."""

import socket
import threading
import time


class Refusing:
    """Mixed into a threading server; `track` is told of each connection that is to end with it."""

    def __init__(self, *args, **kw):
        self._open, self._open_lock = set(), threading.Lock()
        self._back, self._back_lock = None, threading.Lock()
        super().__init__(*args, **kw)

    def track(self, connection):
        with self._open_lock:
            self._open.add(connection)

    def forget(self, connection):
        with self._open_lock:
            self._open.discard(connection)

    def go_away(self, seconds):
        """Returns at once; it listens again after that time, or when it is told to. It does not go when it is away already.

        On Linux a socket that was shut down may listen again, at its own port where it was bound to one by number. Shut down a
        second time before it does, it stays shut for good: it would accept, and each connection would end at once.
        """
        with self._back_lock:
            if self._back is None:
                self.socket.shutdown(socket.SHUT_RDWR)
                self._back = threading.Timer(seconds, self.come_back)
                self._back.daemon = True
                self._back.start()
        with self._open_lock:
            ending = list(self._open)
        for connection in ending:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # gone by itself

    def come_back(self):
        """Listens, if it was away."""
        with self._back_lock:
            if self._back is not None:
                self._back.cancel()
                self._back = None
                self.socket.listen(self.request_queue_size)

    def get_request(self):
        try:
            return super().get_request()
        except OSError:
            time.sleep(0.02)  # the loop would go round at full speed while it is away
            raise
