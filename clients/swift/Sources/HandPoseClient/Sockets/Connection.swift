import HandPoseProtocol
import Synchronization

/// A client's way to its sockets, from any task. When the last reference goes, the sockets are closed.
final class Connection: Sendable {
    private let mailbox: Mailbox
    private let lastID = Atomic(0)

    init(address: String) throws(HandPoseError) {
        mailbox = try Mailbox()
        SocketThread.start(address: address, mailbox: mailbox)
    }

    deinit {
        _ = mailbox.post(.close(nil))
    }

    /// A number for a request or a subscription that no other has.
    func nextID() -> Int {
        lastID.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Sends a request's body and waits for the body of its reply.
    func exchange(_ id: Int, _ body: [UInt8], timeout: Duration) async throws(HandPoseError) -> [UInt8] {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                post(.request(id: id, body: body, timeout: timeout, waiter: waiter))
                // The handler below may have run before there was anything to cancel.
                if Task.isCancelled { post(.cancel(id: id)) }
            }
        } onCancel: {
            post(.cancel(id: id))
        }
        return try result.get()
    }

    /// The frames of a topic's events; the newest `keeping` of those that nobody has asked for yet. When nobody holds
    /// the stream any more, or its task is cancelled, it is unsubscribed.
    func events(
        from address: String, topic: Topic, keeping: Int
    ) -> AsyncStream<Result<[UInt8], HandPoseError>> {
        let (stream, sink) = AsyncStream.makeStream(
            of: Result<[UInt8], HandPoseError>.self, bufferingPolicy: .bufferingNewest(keeping))
        let subscription = Subscription(id: nextID(), address: address, topic: topic)
        sink.onTermination = { [mailbox] _ in _ = mailbox.post(.unsubscribe(id: subscription.id)) }
        post(.subscribe(subscription, sink: sink))
        return stream
    }

    /// Ends everything: requests that wait fail, event sequences finish. Returns when the sockets are gone.
    func close() async {
        await withCheckedContinuation { post(.close($0)) }
    }

    private func post(_ command: Command) {
        if !mailbox.post(command) { command.refuse(with: .closed) }
    }
}
