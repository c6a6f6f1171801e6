import Media

#if canImport(Glibc)
import Glibc
#endif

/// What part of the picture the network is shown: the face, upright, framed as in the pictures that it was trained on.
///
/// FER2013's pictures carry no landmarks. BlazeFace, run on 3,512 of them, finds the eyes on average at (0.50 ± 0.35/2, 0.39)
/// of the frame and 0.37 of its side apart, the mouth 0.39 below them; on the web faces the same to within 0.01.
/// A crop that puts a viewer's eyes and mouth there looks like a training picture.
public enum FaceFraming {
    /// The distance between the eyes, in sides of the frame.
    static let eyeDistance = 0.370
    /// From the middle of the eyes to the mouth, in sides of the frame.
    static let eyesToMouth = 0.390
    /// How far down from the eyes to the mouth the middle of the frame lies: (0.50 - 0.39) / 0.39.
    static let centreBetweenEyesAndMouth = 0.28
    /// Without keypoints: the frame's side in sides of the Haar cascade's box. On ten clips, where both detectors see the face,
    /// 1.01 ± 0.07, with the same middle to within 0.02.
    static let haarBoxScale = 1.0

    /// The square of the picture to show, turned so that the eyes are level.
    public static func area(for face: TrackedFace) -> RotatedRectangle {
        guard let keypoints = face.keypoints else {
            return .square(
                centreX: face.box.centreX, centreY: face.box.centreY, side: face.box.sizePixels * haarBoxScale)
        }
        return area(for: keypoints)
    }

    package static func area(for keypoints: FaceKeypoints) -> RotatedRectangle {
        let eyes = PicturePoint.midpoint(keypoints.rightEye, keypoints.leftEye)
        // Of a head turned aside the eyes come together, of one bent down eyes and mouth do: the larger one tells the size.
        let side = max(
            keypoints.rightEye.distance(to: keypoints.leftEye) / eyeDistance,
            eyes.distance(to: keypoints.mouth) / eyesToMouth)
        return RotatedRectangle(
            centreX: eyes.x + centreBetweenEyesAndMouth * (keypoints.mouth.x - eyes.x),
            centreY: eyes.y + centreBetweenEyesAndMouth * (keypoints.mouth.y - eyes.y),
            width: side, height: side,
            angleRadians: atan2(keypoints.leftEye.y - keypoints.rightEye.y, keypoints.leftEye.x - keypoints.rightEye.x))
    }

    /// A picture that is a face already: its middle square.
    public static func wholeArea(of picture: some PictureSource) -> RotatedRectangle {
        .square(
            centreX: Double(picture.width) / 2, centreY: Double(picture.height) / 2,
            side: Double(min(picture.width, picture.height)))
    }
}
