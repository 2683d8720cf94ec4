import Foundation
import HandPoseClient
import HandPoseProtocol

extension HandPose {
    /// One line: which hand, where its wrist and its index finger's tip are, how wide the pinch is.
    var summary: String {
        var parts = [side.rawValue]
        if let track { parts.append("track \(track)") }
        if let wrist = self[.wrist] { parts.append("wrist \(metres(wrist))") }
        if let tip = self[.indexTip] { parts.append("index tip \(metres(tip))") }
        if let pinch = distance(.thumbTip, .indexTip) { parts.append(String(format: "pinch %.0f mm", pinch * 1000)) }
        return parts.joined(separator: ", ")
    }

    private func metres(_ point: SIMD3<Float>) -> String {
        String(format: "(%.3f, %.3f, %.3f) m", point.x, point.y, point.z)
    }
}

extension PoseEvent {
    /// One line for the frame, and one for each hand.
    ///
    /// - Parameter nowNs: on the daemon's clock.
    func summary(nowNs: Int64) -> String {
        let lost = missed > 0 ? ", \(missed) missed" : ""
        let anew = startsAnew ? ", begins anew" : ""
        let milliseconds = String(format: "%.1f ms old", age(nowNs: nowNs) / .milliseconds(1))
        let lines = ["frame \(message.frame), \(milliseconds)\(lost)\(anew)"] + message.hands.map { "  " + $0.summary }
        return lines.joined(separator: "\n")
    }
}

extension StateEvent {
    /// One line.
    var summary: String { "daemon is \(state.rawValue): \(reason)" }
}

/// Writes a line at once, also where standard output is no terminal.
func show(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}
