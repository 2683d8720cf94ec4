import Foundation
import HandPoseProtocol

/// How the crop's columns, or its rows, are made from the image's: each is a weighted sum of some that lie together.
///
/// The rule is the reference implementation's: a large hand is smoothed by a Gaussian before it shrinks, then sampled
/// bilinearly, and what lies outside the image is black. Both steps are sums along one axis at a time, so they are one.
struct AxisTaps {
    /// What one column or row of the crop is made of: pixels `first..<first + weights.count` of the image.
    struct Tap {
        var first = 0
        var weights: [Float] = []
    }

    /// One for each column or row of the crop; empty where it lies outside the image.
    let taps: [Tap]
    /// The image's columns or rows that are needed.
    let range: Range<Int>

    /// - Parameters:
    ///   - start: where the crop's first pixel lies in the image, px.
    ///   - step: image pixels for each crop pixel.
    ///   - length: the image's columns or rows.
    init(start: Double, step: Double, length: Int) {
        let kernel = Self.kernel(step: step)
        taps = (0..<WireLimits.cropSidePx).map { index in
            Self.tap(at: start + Double(index) * step, kernel: kernel, length: length)
        }
        let used = taps.filter { !$0.weights.isEmpty }
        let first = used.map(\.first).min() ?? 0
        range = first..<(used.map { $0.first + $0.weights.count }.max() ?? first)
    }

    /// A Gaussian against aliasing, cut at 4 sigmas; a lone 1 where the hand does not shrink much. No sigma is over 64:
    /// only a cut of over 33,000 pixels asks for more.
    private static func kernel(step: Double) -> [Double] {
        let halfStep = step / 2
        guard halfStep > 1.1 else { return [1] }
        let sigma = min((halfStep - 1) / 2, 64)
        let reach = Int(4 * sigma + 0.5)
        let bell = (-reach...reach).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
        let sum = bell.reduce(0, +)
        return bell.map { $0 / sum }
    }

    private static func tap(at position: Double, kernel: [Double], length: Int) -> Tap {
        let (left, share) = (Int(position.rounded(.down)), position - position.rounded(.down))
        let reach = kernel.count / 2
        let width = min(kernel.count + 1, length)
        let first = min(max(left - reach, 0), length - width)
        var weights = [Double](repeating: 0, count: width)
        for (sample, weight) in [(left, 1 - share), (left + 1, share)] where 0..<length ~= sample && weight > 0 {
            for (index, factor) in kernel.enumerated() {
                // Beyond the image's edge the smoothing repeats the edge's pixel.
                let pixel = min(max(sample + index - reach, 0), length - 1)
                weights[pixel - first] += weight * factor
            }
        }
        guard weights.contains(where: { $0 > 0 }) else { return Tap() }
        return Tap(first: first, weights: weights.map { Float($0) })
    }
}
