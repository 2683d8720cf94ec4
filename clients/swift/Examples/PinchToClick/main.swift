import Foundation
import HandPoseClient

// Pinch to click: `pinch-to-click SOURCE [left|right [GONE_AFTER_MS]]` prints `down` when that hand's thumb and index
// finger meet, and `up` when they part, or when the hand is seen no more.
//
// Distances are in palm widths, so that the hand's size and its distance from the camera do not matter; between the two
// thresholds nothing changes, so that a trembling finger does not click twice.
let (closeBelow, openAbove): (Float, Float) = (0.25, 0.5)  // palm widths

/// Whether the side's fingers are together now, knowing whether they were.
func isPinched(_ event: PoseEvent?, _ side: Side, before: Bool) -> Bool {
    let hand = event?.hands.first { $0.side == side }
    guard let gap = hand?.distance(.thumbTip, .indexTip), let palm = hand?.distance(.indexMCP, .littleMCP) else {
        return false
    }
    return gap / palm < (before ? openAbove : closeBelow)
}

/// The button of a mouse that tells each change.
struct Button {
    private(set) var isDown = false

    mutating func set(_ isDown: Bool) {
        guard isDown != self.isDown else { return }
        self.isDown = isDown
        print(isDown ? "down" : "up")
        fflush(nil)
    }
}

let arguments = CommandLine.arguments
let source = arguments[1]
let side = arguments.count > 2 ? Side(rawValue: arguments[2]) ?? .right : .right
// No hand in the picture, or no camera, or no daemon: no event comes.
let goneAfter = Duration.milliseconds(arguments.count > 3 ? Int(arguments[3]) ?? 300 : 300)

try await HandPoseClient.withConnection { client in
    var button = Button()
    for try await event in try client.poseEvents(source: source, mesh: false).reportingSilence(after: goneAfter) {
        // The daemon restarted or the host slept: what was pinched is long over.
        if event?.startsAnew == true { button.set(false) }
        button.set(isPinched(event, side, before: button.isDown))
    }
}
