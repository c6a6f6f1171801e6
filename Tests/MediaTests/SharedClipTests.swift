import Foundation
import Media
import Testing

@Suite("Real clips", .enabled(if: SharedClips.arePresent, "the folder ../shared/clips is absent"))
struct SharedClipTests {
    @Test("Frames come at the times that ffprobe states", arguments: SharedClips.names)
    func frameTimes(name: String) throws {
        let path = SharedClips.path(name)
        let (description, packets) = try packets(path)
        let probed = try probedVideoFrames(path)
        guard let video = description.video else {
            #expect(probed.isEmpty)
            return
        }
        let decoded = try frames(video, packets, threadCount: 2)
        #expect(decoded.count == probed.count)
        guard let first = decoded.first, let firstProbed = probed.first else { return }
        for (frame, expected) in zip(decoded, probed) {
            let seconds = Double(frame.ptsNanoseconds - first.ptsNanoseconds) / 1e9
            #expect(abs(seconds - (expected.seconds - firstProbed.seconds)) < 2e-6)
        }
        print(name, decoded.count, Double(first.ptsNanoseconds)/1e9, Set(packets.filter{$0.track == .video}.map(\.segment)).count)
    }
    @Test("Sound", arguments: SharedClips.names)
    func soundX(name: String) throws {
        let path = SharedClips.path(name)
        let (description, packets) = try packets(path)
        guard let t = description.audio else { return }
        let b = joined(try sound(t, packets))
        print(name, t.codecName, t.sampleRateHz, b.map { "\($0.startSample)..\($0.endSample)" }, Set(packets.filter{$0.track == .audio}.map(\.segment)).count, description.durationNanoseconds ?? -1)
    }
}
