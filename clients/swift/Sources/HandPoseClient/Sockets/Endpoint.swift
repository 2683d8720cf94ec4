import CZeroMQ
import HandPoseProtocol

extension ZeroMQContext {
    /// A socket for requests: a DEALER, so that several may be under way at once.
    func requests(to address: String, keys: ClientKeys?) throws(HandPoseError) -> ZeroMQSocket {
        try connected(ZMQ_DEALER, address, keys) { socket throws(HandPoseError) in
            // A crop that waits for a daemon to start would be stale when it does.
            try socket.set(ZMQ_IMMEDIATE, 1 as Int32)
            try socket.set(ZMQ_SNDHWM, 16 as Int32)
        }
    }

    /// A socket for the events of one topic.
    func events(from address: String, topic: Topic, keys: ClientKeys?) throws(HandPoseError) -> ZeroMQSocket {
        try connected(ZMQ_SUB, address, keys) { socket throws(HandPoseError) in
            try socket.set(ZMQ_SUBSCRIBE, topic.subscription)
        }
    }

    private func connected(
        _ kind: Int32, _ address: String, _ keys: ClientKeys?, _ configure: (ZeroMQSocket) throws(HandPoseError) -> Void
    ) throws(HandPoseError) -> ZeroMQSocket {
        let socket = try socket(kind)
        do throws(HandPoseError) {
            try socket.set(ZMQ_LINGER, 0 as Int32)
            // A daemon that was restarted is found again within some tens of milliseconds.
            try socket.set(ZMQ_RECONNECT_IVL, 20 as Int32)
            try socket.set(ZMQ_RECONNECT_IVL_MAX, 100 as Int32)
            try socket.set(ZMQ_MAXMSGSIZE, Int64(WireLimits.maxFrameBytes))
            try socket.set(ZMQ_IPV6, 1 as Int32)
            try socket.set(ZMQ_TCP_KEEPALIVE, 1 as Int32)
            if let keys {
                try socket.set(ZMQ_CURVE_SERVERKEY, Array(keys.daemonPublic.utf8))
                try socket.set(ZMQ_CURVE_PUBLICKEY, Array(keys.public.utf8))
                try socket.set(ZMQ_CURVE_SECRETKEY, Array(keys.secret.utf8))
            }
            try configure(socket)
            try socket.connect(address)
            return socket
        } catch {
            socket.close()
            throw error
        }
    }
}
