import HandPoseProtocol

/// What a decoded message says, as the map of PROTOCOL.md: read from its properties, not by the code under test.
protocol Meaningful {
    var meaning: MessagePackValue { get }
}

/// The fields of a map; those that are nil are absent.
private func map(_ fields: KeyValuePairs<String, MessagePackValue?>) -> MessagePackValue {
    .map(fields.compactMap { name, value in value.map { MessagePackField(name, $0) } })
}

private func answer(_ id: Int, _ fields: KeyValuePairs<String, MessagePackValue?>) -> MessagePackValue {
    guard case .map(let own) = map(fields), case .map(let head) = map(["id": id.value, "ok": true.value, "v": 1.value])
    else { return .null }
    return .map(head + own)
}

extension Int { var value: MessagePackValue { .integer(Int64(self)) } }
extension Int64 { var value: MessagePackValue { .integer(self) } }
extension Double { var value: MessagePackValue { .double(self) } }
extension Bool { var value: MessagePackValue { .bool(self) } }
extension String { var value: MessagePackValue { .string(self) } }
extension [String] { var value: MessagePackValue { .array(map(\.value)) } }
extension ClosedRange<Int> { var value: MessagePackValue { .array([lowerBound.value, upperBound.value]) } }

/// An array on the wire.
func float32(_ numbers: [Float], _ shape: Int...) -> MessagePackValue {
    let bytes = numbers.flatMap { number in withUnsafeBytes(of: number.bitPattern.littleEndian) { Array($0) } }
    return map(["dtype": "<f4".value, "shape": .array(shape.map(\.value)), "data": .binary(bytes)])
}

private func vectors(_ points: [SIMD3<Float>]) -> MessagePackValue {
    float32(points.flatMap { [$0.x, $0.y, $0.z] }, points.count, 3)
}

extension HelloReply {
    func meaning(id: Int) -> MessagePackValue {
        answer(
            id,
            [
                "server": server.value, "protocol": supportedVersions.value, "epoch": epoch.value,
                "state": state.rawValue.value, "model": model?.meaning ?? .null,
                "limits": limits.meaning,
                "endpoints": map(["requests": endpoints.requests.value, "events": endpoints.events.value]),
                "clocks": clocks.meaning, "joint_names": jointNames.value,
            ])
    }
}

extension StatusReply {
    func meaning(id: Int) -> MessagePackValue {
        answer(
            id,
            [
                "server": server.value, "epoch": epoch.value, "pid": pid.value, "state": state.rawValue.value,
                "reason": reason.value, "live": live.value, "ready": ready.value, "model_ready": modelReady.value,
                "uptime_s": uptimeS.value,
                "model": model?.meaning ?? .null, "device": device?.meaning ?? .null,
                "memory": memory?.meaning ?? .null,
                "queue": map([
                    "waiting_crops": queue.waitingCrops.value, "waiting_limit": queue.waitingLimit.value,
                    "running_crops": queue.runningCrops.value,
                ]),
                "counters": .map(counters.map { MessagePackField($0, $1.value) }),
                "latency_ms": .map(latencyMs.map { MessagePackField($0, $1.meaning) }),
                "subscriptions": subscriptions.value, "limits": limits.meaning, "process": process.meaning,
                "versions": .map(versions.map { MessagePackField($0, $1.value) }),
            ])
    }
}

extension HelloReply.Limits: Meaningful {
    var meaning: MessagePackValue {
        map([
            "max_hands": maxHands.value, "max_request_bytes": maxRequestBytes.value, "crop_bytes": cropBytes.value,
            "max_source_length": maxSourceLength.value,
        ])
    }
}

extension StatusReply.Process: Meaningful {
    var meaning: MessagePackValue {
        map([
            "resident": resident.value, "cpu_s": cpuS.value, "threads": threads.value, "open_files": openFiles.value,
            "open_files_limit": openFilesLimit.value,
        ])
    }
}

extension StatusReply.Device: Meaningful {
    var meaning: MessagePackValue {
        map(["name": name.value, "blas": blas.value, "gflops": gflops.value, "mlx": mlx.value])
    }
}

extension StatusReply.Memory: Meaningful {
    var meaning: MessagePackValue {
        map(["active": active.value, "cache": cache.value, "peak": peak.value, "process_peak": processPeak.value])
    }
}

extension StatusReply.Percentiles: Meaningful {
    var meaning: MessagePackValue {
        map(["p50": p50.value, "p95": p95.value, "p99": p99.value, "count": count.value])
    }
}

extension ModelInfo: Meaningful {
    var meaning: MessagePackValue {
        map([
            "name": name.value, "trained": trained.value, "width": width.value, "depth": depth.value,
            "heads": heads.value, "dtype": dtype.value, "licence": licence.value, "source_sha256": sourceSHA256.value,
        ])
    }
}

extension Clocks: Meaningful {
    var meaning: MessagePackValue { map(["monotonic_ns": monotonicNs.value, "wall_ns": wallNs.value]) }
}

extension PongReply {
    func meaning(id: Int) -> MessagePackValue { answer(id, ["clocks": clocks.meaning, "deep": deep.value]) }
}

extension EstimateReply {
    func meaning(id: Int) -> MessagePackValue {
        answer(
            id,
            [
                "seq": seq?.value ?? .null, "epoch": epoch.value, "hands": .array(hands.map(\.meaning)),
                "timing": timing.meaning,
            ])
    }
}

extension Timing: Meaningful {
    var meaning: MessagePackValue {
        map([
            "received_at_ns": receivedAtNs.value, "queue_ms": queueMs.value, "model_ms": modelMs.value,
            "total_ms": totalMs.value, "batch": batch.value,
        ])
    }
}

extension Refusal {
    func meaning(id: Int?) -> MessagePackValue {
        let error = map([
            "code": code.rawValue.value, "message": message.value, "retryable": retryable.value,
            "protocol": supportedVersions?.value,
        ])
        return map(["id": id?.value ?? .null, "error": error, "ok": false.value, "v": 1.value])
    }
}

extension HandPose: Meaningful {
    var meaning: MessagePackValue {
        map([
            "side": side.rawValue.value, "side_score": sideScore?.value, "score": score?.value, "track": track?.value,
            "keypoints": keypoints.map(vectors), "vertices": vertices.map { float32($0.flat, $0.count, 3) },
            "camera": camera.map { float32([$0.scale, $0.tx, $0.ty], 3) },
            "keypoints_2d": keypoints2D.map { float32($0.flatMap { [$0.x, $0.y] }, 21, 2) },
            "translation": translation.map { float32([$0.x, $0.y, $0.z], 3) }, "focal_px": focalPx?.value,
            "mano": mano?.meaning,
        ])
    }
}

extension Mano: Meaningful {
    var meaning: MessagePackValue {
        map([
            "global_orient": vectors([globalOrient]), "hand_pose": vectors(handPose), "betas": float32(betas, 10),
        ])
    }
}

extension HandsEvent: Meaningful {
    var meaning: MessagePackValue {
        map([
            "seq": seq.value, "epoch": epoch.value, "source": source.value, "frame": frame.value,
            "captured_at_ns": capturedAtNs.value, "published_at_ns": publishedAtNs.value, "timing": timing.meaning,
            "model": model.value, "hands": .array(hands.map(\.meaning)), "v": 1.value,
            "resumed": resumed == 0 ? nil : resumed.value,
        ])
    }
}

extension StateEvent: Meaningful {
    var meaning: MessagePackValue {
        map([
            "seq": seq.value, "epoch": epoch.value, "published_at_ns": publishedAtNs.value,
            "state": state.rawValue.value, "reason": reason.value, "model": model?.meaning ?? .null, "v": 1.value,
            "resumed": resumed == 0 ? nil : resumed.value,
        ])
    }
}
