extension FaceMesh {
    /// Points of MediaPipe's mesh that follow one another along a line of the face (`face_mesh_connections.py`). Right and left are the
    /// person's own.
    public enum Line {
        /// The face's edge above the brows, from the right temple to the left one.
        public static let forehead = [162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389]
        /// From between the brows along the nose and over the lips to the chin.
        public static let midline = [9, 168, 6, 197, 195, 5, 4, 1, 2, 164, 0, 17, 18, 200, 199, 175, 152]
        /// The face's edge from the temple down to the chin.
        public static let rightJaw = [127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152]
        public static let leftJaw = [356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152]
        /// The brows' edges, from the nose outwards.
        public static let rightBrowTop = [107, 66, 105, 63, 70]
        public static let leftBrowTop = [336, 296, 334, 293, 300]
        public static let rightBrowBottom = [55, 65, 52, 53, 46]
        public static let leftBrowBottom = [285, 295, 282, 283, 276]
        /// Around the eyes, along the lids.
        public static let rightEye = [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246]
        public static let leftEye = [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466]
        /// The outer edges of the lips' halves, from the upper lip's middle to the lower one's.
        public static let rightLips = [0, 37, 39, 40, 185, 61, 146, 91, 181, 84, 17]
        public static let leftLips = [0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17]
    }
}
