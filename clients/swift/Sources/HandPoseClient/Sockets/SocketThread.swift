import CZeroMQ
import Foundation
import HandPoseProtocol

/// The one thread that owns a client's sockets. It waits for them and for commands, so that no thread of Swift's
/// cooperative pool ever does; and it polls subscriptions even while nobody asks for events, because only then does
/// ZeroMQ subscribe anew after a restart of the daemon.
///
/// All of this is made, used and ended on that thread; others reach it through the mailbox alone.
struct SocketThread {
    private struct Listener {
        let socket: ZeroMQSocket
        let queue: FrameQueue
        let silence: Duration?
        /// When it has been silent for so long; nil: nobody wants to know.
        var silentAt: ContinuousClock.Instant?

        mutating func awaitSilence() { silentAt = silence.map { .now + $0 } }
    }

    private static let longestWait = Duration.seconds(3600)

    private let mailbox: Mailbox
    private let address: String
    private let keys: ClientKeys?
    private let context: ZeroMQContext
    private let requests: ZeroMQSocket
    private var pending = PendingRequests<Command.Waiter>()
    private var listeners: [Int: Listener] = [:]
    private var closers: [CheckedContinuation<Void, Never>] = []
    private var isClosing = false

    /// Starts it. It ends when it is told to close, or when ZeroMQ fails; then every command fails.
    static func start(address: String, keys: ClientKeys?, mailbox: Mailbox) {
        let thread = Thread {
            do throws(HandPoseError) {
                var owner = try SocketThread(address: address, keys: keys, mailbox: mailbox)
                let outcome = owner.run()
                owner.end(outcome)
            } catch {
                refuse(mailbox.close(with: error), with: error)
            }
        }
        thread.name = "wilor-sidecar sockets"
        thread.qualityOfService = .userInteractive
        thread.start()
    }

    private init(address: String, keys: ClientKeys?, mailbox: Mailbox) throws(HandPoseError) {
        self.address = address
        self.keys = keys
        self.mailbox = mailbox
        context = try ZeroMQContext()
        do throws(HandPoseError) {
            requests = try context.requests(to: address, keys: keys)
        } catch {
            context.terminate()
            throw error
        }
    }

    /// Serves until it is told to close.
    ///
    /// - Returns: what everybody who still waits is told.
    private mutating func run() -> HandPoseError {
        do throws(HandPoseError) {
            while true {
                for command in mailbox.take() { obey(command) }
                if isClosing { return .closed }
                try sendWaiting()
                try poll()
                try receiveReplies()
                for id in listeners.keys { try receiveEvents(id) }
                dropExpired()
                tellSilence()
            }
        } catch {
            return error
        }
    }

    private mutating func obey(_ command: Command) {
        switch command {
        case .request(let id, let body, let deadline, let waiter):
            pending.add(id, body: body, deadline: deadline, waiter: waiter)
        case .cancel(let id):
            pending.remove(id)?.resume(returning: .failure(.cancelled))
        case .subscribe(let subscription, let queue):
            subscribe(subscription, queue)
        case .unsubscribe(let id):
            listeners.removeValue(forKey: id)?.socket.close()
        case .close(let closer):
            isClosing = true
            if let closer { closers.append(closer) }
        }
    }

    private mutating func subscribe(_ subscription: Subscription, _ queue: FrameQueue) {
        do throws(HandPoseError) {
            let socket = try context.events(from: subscription.address, topic: subscription.topic, keys: keys)
            var listener = Listener(socket: socket, queue: queue, silence: subscription.silence)
            listener.awaitSilence()
            listeners[subscription.id] = listener
        } catch {
            queue.end(with: error)
        }
    }

    private mutating func sendWaiting() throws(HandPoseError) {
        while let next = pending.nextUnsent {
            guard try requests.send([envelope(next.id), [], next.body]) else { return }
            pending.markSent(next.id)
        }
    }

    /// Waits for a command, a reply, an event, a connection where something is to be sent, the next deadline or silence.
    private func poll() throws(HandPoseError) {
        let readable = Int16(ZMQ_POLLIN)
        let wanted = pending.hasUnsent ? readable | Int16(ZMQ_POLLOUT) : readable
        var items = [
            zmq_pollitem_t(socket: nil, fd: mailbox.wakeUp, events: readable, revents: 0),
            zmq_pollitem_t(socket: requests.handle, fd: 0, events: wanted, revents: 0),
        ]
        for listener in listeners.values {
            items.append(zmq_pollitem_t(socket: listener.socket.handle, fd: 0, events: readable, revents: 0))
        }
        guard zmq_poll(&items, Int32(items.count), millisecondsToWait()) >= 0 || zmq_errno() == EINTR else {
            throw ZeroMQ.failure("waiting for sockets")
        }
    }

    /// Until the next deadline or silence, rounded up; -1: for ever.
    private func millisecondsToWait() -> Int {
        let moments = [pending.nextDeadline].compactMap(\.self) + listeners.values.compactMap(\.silentAt)
        guard let next = moments.min() else { return -1 }
        // Who asked to wait for ages is waited for in parts, which ZeroMQ can count.
        let left = min(max(.zero, ContinuousClock.now.duration(to: next)), Self.longestWait)
        return Int((left / .milliseconds(1)).rounded(.up))
    }

    private mutating func receiveReplies() throws(HandPoseError) {
        while let frames = try requests.receive() {
            // Whatever does not answer a request that still waits came too late, or was never asked for.
            guard frames.count == 3, let id = requestID(frames[0]) else { continue }
            pending.remove(id)?.resume(returning: .success(frames[2]))
        }
    }

    private mutating func receiveEvents(_ id: Int) throws(HandPoseError) {
        while let listener = listeners[id], let frames = try listener.socket.receive() {
            for frame in frames { listener.queue.add(frame) }
            listeners[id]?.awaitSilence()
        }
    }

    private mutating func tellSilence() {
        for (id, listener) in listeners {
            guard let silentAt = listener.silentAt, silentAt <= .now else { continue }
            listener.queue.fallSilent()
            listeners[id]?.awaitSilence()
        }
    }

    private mutating func dropExpired() {
        for request in pending.removeExpired(at: .now) {
            let message =
                request.sent
                ? "no reply from \(address) in time"
                : "no daemon at \(address); is `wilor-sidecar serve` running?"
            request.waiter.resume(returning: .failure(HandPoseError(.noReply, message, retryable: true)))
        }
    }

    private mutating func end(_ outcome: HandPoseError) {
        for listener in listeners.values {
            listener.queue.end(with: outcome)
            listener.socket.close()
        }
        requests.close()
        context.terminate()
        for waiter in pending.removeAll() { waiter.resume(returning: .failure(outcome)) }
        Self.refuse(mailbox.close(with: outcome), with: outcome)
        for closer in closers { closer.resume() }
    }

    private static func refuse(_ commands: [Command], with error: HandPoseError) {
        for command in commands { command.refuse(with: error) }
    }

    private func envelope(_ id: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(id).bigEndian) { Array($0) }
    }

    private func requestID(_ envelope: [UInt8]) -> Int? {
        guard envelope.count == MemoryLayout<UInt64>.size else { return nil }
        return Int(exactly: envelope.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}

extension Command {
    /// Answers a command that will not be obeyed.
    func refuse(with error: HandPoseError) {
        switch self {
        case .request(_, _, _, let waiter): waiter.resume(returning: .failure(error))
        case .subscribe(_, let queue): queue.end(with: error)
        case .close(let closer): closer?.resume()
        case .cancel, .unsubscribe: break
        }
    }
}
