import Foundation
import NodeKit
import Testing

@Suite struct SessionNameTests {
    @Test(arguments: [
        ("clips/viewer-session.mp4", "viewer-session"), ("-", "stdin"), ("a b/ä ö.webm", "input"), ("../..", "input"),
        ("https://user:secret@host/path/clip.mp4?token=1", "clip"), ("x/.hidden", "hidden"), ("a$b;c.mp4", "a-b-c"),
    ]) func aSessionIsNamedAfterItsInput(input: String, name: String) {
        #expect(SessionName.stem(of: input) == name)
    }

    @Test(arguments: ["../../x", "/etc/x", "..", "a/../../b", ".hidden", "a\0b", ""]) func noSessionIsWrittenOutsideTheFolder(name: String) {
        let folder = ResultFiles(directory: "/out", hasFolderPerSession: true).folder(of: name)
        #expect(folder.hasPrefix("/out/") && !folder.dropFirst(5).contains("/") && !folder.dropFirst(5).hasPrefix(".") && folder.count > 5)
    }

    @Test func noTwoSessionsShareAFolder() {
        let long = String(repeating: "x", count: 300)
        let names = ["clip-3f2a9c01", "a b", "a/b", "a-b", "ä", "ö", "", ".", long + "1", long + "2"]
        let folders = names.map(ResultFiles(directory: "/out", hasFolderPerSession: true).folder)
        #expect(folders[0] == "/out/clip-3f2a9c01" && folders[3] == "/out/a-b")
        #expect(Set(folders).count == names.count, "\(folders)")
        #expect(folders.allSatisfy { ($0 as NSString).lastPathComponent.utf8.count < 255 })
    }

    @Test func inputsOfOneNameAreNumbered() {
        #expect(SessionName.unique(["a/x.mp4", "b/x.mp4", "x-2.mp4", "c/x.mov"]) == ["x", "x-2", "x-2-2", "x-3"])
    }

    @Test func whatIsNoFileIsAnotherSessionEachTime() {
        let inputs = ["-", "rtsp://camera/live", #filePath]
        let first = SessionName.identified(inputs, start: Date(timeIntervalSince1970: 0))
        let second = SessionName.identified(inputs, start: Date(timeIntervalSince1970: 1))
        #expect(first[0] == "stdin-19700101T000000Z" && first[1] == "live-19700101T000000Z")
        #expect(Array(zip(first, second).map(==)) == [false, false, true])
        #expect(Set(SessionName.identified(["rtsp://a/stream", "rtsp://b/stream", #filePath, #filePath], start: Date())).count == 4)
    }

    @Test func aPipeIsLeftToWhoReadsIt() throws {
        let path = NSTemporaryDirectory() + "/adreact-pipe-\(UInt32.random(in: .min ... .max))"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        #expect(SessionName.identified([path], start: Date(timeIntervalSince1970: 0))[0].hasSuffix("-19700101T000000Z"))
        #expect(!SessionName.isRepeatable(path))
    }

    @Test(arguments: [
        (#filePath, true), ("file://" + #filePath, true), ("/nowhere/clip.mp4", true), ("https://host/clip.mp4", true), ("-", false), ("/dev/null", false), ("rtmp://127.0.0.1/live?listen", false),
        ("http://127.0.0.1:1/x?listen", false), ("https://host/live.m3u8", false), ("udp://127.0.0.1:1", false),
    ]) func whatCanBeReadAgain(input: String, can: Bool) {
        #expect(SessionName.isRepeatable(input) == can)
    }

    @Test func aSourceThatCannotBeReadAgainNeverHasItsNameTwice() throws {
        let folder = NSTemporaryDirectory() + "/adreact-used-\(UInt32.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let names = try (0..<3).map { _ in try UsedSessions(runDirectory: folder).claimOneLike("../viewer") }
        #expect(names == ["../viewer", "../viewer-2", "../viewer-3"])
        #expect(try !UsedSessions(runDirectory: folder).claim("../viewer-3"))
        #expect(throws: SessionFailure.self) { try UsedSessions(runDirectory: "/proc/nowhere").claim("x") }
    }

    @Test func secretsOfAnAddressDoNotTravel() {
        #expect(SessionName.publicName(of: "rtsp://user:secret@camera/live?key=1") == "rtsp://camera/live")
    }
}
