"""A sink of one's own: prints the windows of AdReact's timeline as they become final, one line each.

    python print_windows.py [ENDPOINT] [--sessions N] [--group NAME]

ENDPOINT is where fusion-node publishes the timeline; without it $ADREACT_TIMELINE_ENDPOINT, or ipc://run/timeline.ipc.
Needs pyzmq and protobuf (from PyPI), and protoc. docs/protocol.md explains the protocol.
"""
import argparse, os, pathlib, subprocess, sys, tempfile, time, uuid
import zmq
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

TRACKS = ["emotion", "pulse-windows", "seconds"]
CREDIT_BYTES = 1 << 20
HEARTBEAT_SECONDS = 0.5
PROTOCOL_VERSION = 1


class Schema:
    """AdReact's messages, made from its .proto files: through descriptors, so that the versions of protoc and of the
    Python package need not match, as they must for what `protoc --python_out` writes."""

    def __init__(self, folder):
        with tempfile.TemporaryDirectory() as work:
            compiled = pathlib.Path(work, "adreact.bin")
            sources = sorted(str(path) for path in pathlib.Path(folder).glob("adreact/v1/*.proto"))
            subprocess.run(["protoc", f"-I{folder}", f"--descriptor_set_out={compiled}", *sources], check=True)
            files = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes())
        self.pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self.pool.AddSerializedFile(file.SerializeToString())

    def __getattr__(self, name):
        # The class of a message (schema.Envelope) or the number of a kind (schema.KIND_DATA).
        if name.startswith("KIND_"):
            return self.pool.FindEnumTypeByName("adreact.v1.Kind").values_by_name[name].number
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(f"adreact.v1.{name}"))


class TimelineReader:
    """Reads the logs of all sessions, each entry once and in order, even if fusion-node restarts in between."""

    def __init__(self, schema, endpoint, group):
        self.schema = schema
        self.member = f"print-windows-{uuid.uuid4().hex[:8]}"
        self.group = group or self.member  # alone in its group: from the start, and everything
        self.expected = {}  # number of the next entry, by log
        self.owed_bytes = 0  # taken, but not yet given back as credit
        self.publisher, self.subscribed_at = None, 0.0
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.set(zmq.IMMEDIATE, 1)  # nothing is queued for a fusion-node that is away: it would be stale
        self.socket.set(zmq.LINGER, 500)
        self.socket.connect(endpoint)

    def for_each(self, handle):
        """Calls handle(envelope, body) with every Info, Data, Gap and End, until it returns False. What it has handled
        is acknowledged: a later reader of the same group will not get it again."""
        next_heartbeat, goes_on = 0.0, True
        while goes_on:
            now = time.monotonic()
            if now >= next_heartbeat:
                next_heartbeat = now + HEARTBEAT_SECONDS
                self.give_credit()
                self.send("KIND_HEARTBEAT", self.schema.Heartbeat())
            if not self.socket.poll(100):
                continue
            frames = self.socket.recv_multipart()
            try:
                envelope = self.schema.Envelope.FromString(frames[0])
                if len(frames) == 2 and envelope.version == PROTOCOL_VERSION:
                    goes_on = self.receive(envelope, frames[1], sum(map(len, frames)), handle)
            except DecodeError as error:
                print(f"dropped a message: {error}", file=sys.stderr)
        self.socket.close()

    def receive(self, envelope, body, byte_count, handle):
        schema, sequence, goes_on = self.schema, envelope.sequence, True
        if envelope.kind == schema.KIND_HELLO:
            self.subscribe(schema.Hello.FromString(body).instance)
        if envelope.kind not in (schema.KIND_INFO, schema.KIND_DATA, schema.KIND_GAP, schema.KIND_END):
            return True  # not of a log: a greeting, a heartbeat
        log = (envelope.session, envelope.track, envelope.segment)
        expected = self.expected.get(log)
        if envelope.kind == schema.KIND_INFO:
            # Comes again after each subscription. Above `expected`: the group has had what lies between.
            is_news, following = expected is None or sequence > expected, sequence
            if not is_news:  # a new life of the publisher need not send again what we have
                self.acknowledge(log, expected)
        else:
            following = schema.Gap.FromString(body).next_sequence if envelope.kind == schema.KIND_GAP else sequence + 1
            if expected is None or sequence > expected:  # something is missing: ask for it
                self.acknowledge(log, expected or 0, resend=True)
            is_news = expected is not None and sequence <= expected < following
        if is_news:
            self.expected[log] = following
            goes_on = handle(envelope, body) is not False
            self.acknowledge(log, following)
        self.owed_bytes += byte_count
        if self.owed_bytes >= CREDIT_BYTES // 4:
            self.give_credit()
        return goes_on

    def subscribe(self, publisher):
        """Answers a greeting: this publisher, perhaps a new life of it, does not know us."""
        if publisher == self.publisher and time.monotonic() - self.subscribed_at < HEARTBEAT_SECONDS:
            return  # it had not read our last answer yet
        self.publisher, self.subscribed_at, self.owed_bytes = publisher, time.monotonic(), 0
        self.send("KIND_SUBSCRIBE", self.schema.Subscribe(
            group=self.group, member=self.member, tracks=TRACKS, credit_bytes=CREDIT_BYTES))

    def acknowledge(self, log, next_sequence, resend=False):
        body = self.schema.Acknowledge(next_sequence=next_sequence, resend=resend)
        self.send("KIND_ACKNOWLEDGE", body, **dict(zip(("session", "track", "segment"), log)))

    def give_credit(self):
        if self.owed_bytes:
            self.send("KIND_CREDIT", self.schema.Credit(bytes=self.owed_bytes))
            self.owed_bytes = 0

    def send(self, kind, body, **log):
        kind = getattr(self.schema, kind)
        envelope = self.schema.Envelope(version=PROTOCOL_VERSION, kind=kind, source_instance=self.member, **log)
        try:
            self.socket.send_multipart([envelope.SerializeToString(), body.SerializeToString()], zmq.DONTWAIT)
        except zmq.Again:
            pass  # not connected: once it is, a heartbeat will be answered by a greeting

def describe(session, window):
    times = f"{window.start_nanoseconds / 1e9:8.2f} s to {window.end_nanoseconds / 1e9:8.2f} s"
    if window.retracted:
        return f"{session}  {times}  {window.lane:<5}  retracted"
    rate = f"  {window.pulse.heart_rate_bpm:.0f} bpm" if window.pulse.HasField("heart_rate_bpm") else ""
    return f"{session}  {times}  {window.lane:<5}  {window.label:<8}  {max(window.probabilities):.2f}{rate}"


def main():
    arguments = argparse.ArgumentParser(description="Print the windows of AdReact's timeline.")
    arguments.add_argument("endpoint", nargs="?", help="where fusion-node publishes the timeline",
                           default=os.environ.get("ADREACT_TIMELINE_ENDPOINT") or "ipc://run/timeline.ipc")
    arguments.add_argument("--sessions", type=int, default=0, metavar="N", help="end after N sessions")
    arguments.add_argument("--group", help="resume where the sinks of this group left off")
    options = arguments.parse_args()

    schema = Schema(pathlib.Path(__file__).resolve().parent.parent / "Sources" / "Wire")
    ended = {}  # tracks that are over, by session

    def handle(envelope, body):
        if envelope.kind == schema.KIND_DATA and envelope.track != "seconds":
            print(describe(envelope.session, schema.TimelineWindow.FromString(body)), flush=True)
        elif envelope.kind == schema.KIND_END:
            ended.setdefault(envelope.session, set()).add(envelope.track)
            if len(ended[envelope.session]) == len(TRACKS):
                print(f"{envelope.session}  end  {schema.End.FromString(body).failure.message}".rstrip(), flush=True)
        return not options.sessions or sum(len(tracks) == len(TRACKS) for tracks in ended.values()) < options.sessions

    TimelineReader(schema, options.endpoint, options.group).for_each(handle)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
