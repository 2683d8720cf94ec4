import Foundation
import HandPoseClient

// Pinch to click: `pinch-to-click SOURCE` prints `down` when thumb and index finger meet, `up` when they part.
//
// Distances are in palm widths, so that the hand's size and its distance from the camera do not matter; between the two
// thresholds nothing changes, so that a trembling finger does not click twice.
let (closeBelow, openAbove): (Float, Float) = (0.25, 0.5)  // palm widths

/// Whether the fingers are together now, knowing whether they were.
func isPinched(_ hand: HandPose?, before: Bool) -> Bool {
    guard let gap = hand?.distance(.thumbTip, .indexTip), let palm = hand?.distance(.indexMCP, .littleMCP) else {
        return false
    }
    return gap / palm < (before ? openAbove : closeBelow)
}

try await HandPoseClient.withConnection { client in
    var pinched = false
    for try await event in try client.poseEvents(source: CommandLine.arguments[1], mesh: false) {
        let now = isPinched(event.hands.first, before: pinched)
        if now != pinched {
            pinched = now
            print(now ? "down" : "up")
            fflush(nil)
        }
    }
}
