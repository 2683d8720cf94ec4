import CZeroMQ

/// A ZeroMQ context. Not sendable: it lives and ends on the thread that made it.
struct ZeroMQContext {
    private let handle: UnsafeMutableRawPointer

    init() throws(HandPoseError) {
        guard let handle = zmq_ctx_new() else { throw ZeroMQ.failure("making a context") }
        self.handle = handle
    }

    func socket(_ kind: Int32) throws(HandPoseError) -> ZeroMQSocket {
        guard let socket = zmq_socket(handle, kind) else { throw ZeroMQ.failure("making a socket") }
        return ZeroMQSocket(handle: socket)
    }

    /// Ends it; all its sockets must have been closed.
    func terminate() {
        while zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
    }
}

/// A ZeroMQ socket. Not sendable: it is used on the thread that made it, and never waits.
struct ZeroMQSocket {
    let handle: UnsafeMutableRawPointer

    func set(_ option: Int32, _ value: Int32) throws(HandPoseError) {
        var value = value
        try check(zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size), "setting an option")
    }

    func set(_ option: Int32, _ value: Int64) throws(HandPoseError) {
        var value = value
        try check(zmq_setsockopt(handle, option, &value, MemoryLayout<Int64>.size), "setting an option")
    }

    func set(_ option: Int32, _ bytes: [UInt8]) throws(HandPoseError) {
        try check(zmq_setsockopt(handle, option, bytes, bytes.count), "setting an option")
    }

    func connect(_ address: String) throws(HandPoseError) {
        try check(zmq_connect(handle, address), "connecting to \(address)")
    }

    /// Sends the frames of a message, or none of them when there is no connection that would take it now.
    func send(_ frames: [[UInt8]]) throws(HandPoseError) -> Bool {
        for (index, frame) in frames.enumerated() {
            let more = index < frames.count - 1 ? ZMQ_SNDMORE : 0
            while zmq_send(handle, frame, frame.count, ZMQ_DONTWAIT | more) < 0 {
                if zmq_errno() == EAGAIN, index == 0 { return false }
                guard zmq_errno() == EINTR else { throw ZeroMQ.failure("sending") }
            }
        }
        return true
    }

    /// The frames of the next message that is here, or nil.
    func receive() throws(HandPoseError) -> [[UInt8]]? {
        var frames: [[UInt8]] = []
        repeat {
            guard let frame = try receiveFrame() else { return nil }
            frames.append(frame)
        } while hasMore
        return frames
    }

    func close() { zmq_close(handle) }

    private func receiveFrame() throws(HandPoseError) -> [UInt8]? {
        var message = zmq_msg_t()
        zmq_msg_init(&message)
        defer { zmq_msg_close(&message) }
        while zmq_msg_recv(&message, handle, ZMQ_DONTWAIT) < 0 {
            if zmq_errno() == EAGAIN { return nil }
            guard zmq_errno() == EINTR else { throw ZeroMQ.failure("receiving") }
        }
        return Array(UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: zmq_msg_size(&message)))
    }

    private var hasMore: Bool {
        var more: Int32 = 0
        var size = MemoryLayout<Int32>.size
        return zmq_getsockopt(handle, ZMQ_RCVMORE, &more, &size) == 0 && more != 0
    }

    private func check(_ status: Int32, _ doing: String) throws(HandPoseError) {
        if status != 0 { throw ZeroMQ.failure(doing) }
    }
}

enum ZeroMQ {
    /// What ZeroMQ's last call on this thread failed of.
    static func failure(_ doing: String) -> HandPoseError {
        HandPoseError(.socket, "\(doing): \(String(cString: zmq_strerror(zmq_errno())))")
    }
}
