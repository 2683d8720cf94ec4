import HandPoseProtocol
import Synchronization

/// A client's way to its sockets, from any task. When the last reference goes, the sockets are closed.
final class Connection: Sendable {
    private let mailbox: Mailbox
    private let lastID = Atomic(0)

    init(address: String, keys: ClientKeys? = nil) throws(HandPoseError) {
        mailbox = try Mailbox()
        SocketThread.start(address: address, keys: keys, mailbox: mailbox)
    }

    deinit {
        _ = mailbox.post(.close(nil))
    }

    /// A number for a request or a subscription that no other has.
    func nextID() -> Int {
        lastID.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Sends a request's body and waits for the body of its reply.
    func exchange(_ id: Int, _ body: [UInt8], deadline: ContinuousClock.Instant) async throws(HandPoseError) -> [UInt8]
    {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                post(.request(id: id, body: body, deadline: deadline, waiter: waiter))
                // The handler below may have run before there was anything to cancel.
                if Task.isCancelled { post(.cancel(id: id)) }
            }
        } onCancel: {
            post(.cancel(id: id))
        }
        return try result.get()
    }

    /// The frames of a topic's events; the newest `keeping` of those that nobody has asked for yet.
    func events(from address: String, topic: Topic, keeping: Int, silence: Duration?) -> FrameReader {
        let subscription = Subscription(id: nextID(), address: address, topic: topic, silence: silence)
        let queue = FrameQueue(keeping: keeping)
        post(.subscribe(subscription, queue))
        return FrameReader(queue) { [mailbox] in _ = mailbox.post(.unsubscribe(id: subscription.id)) }
    }

    /// Ends everything: requests that wait fail, event sequences finish. Returns when the sockets are gone.
    func close() async {
        await withCheckedContinuation { post(.close($0)) }
    }

    private func post(_ command: Command) {
        if let error = mailbox.post(command) { command.refuse(with: error) }
    }
}
