"""Meaning of the numbers that scene and kernels share: columns of a surface, entries of the camera, materials."""

(
    LATERAL,  # 0: plane of constant depth, 1: plane of constant sideways distance
    PLANE,  # metres: depth ahead of the camera, or distance to its right
    START,  # metres: first sideways (depth) coordinate that is drawn
    STOP,  # metres: last one
    ORIGIN,  # metres: where the texture's u is 0
    LENGTH,  # metres along u, uncut
    HEIGHT,  # metres above the ground
    MATERIAL,
    IDENTITY,  # 0: background, else object number
    ALBEDO,  # linear light, 1 is white paper in the scene's own light
    TONE,  # second free number of a material, in [0, 1)
    SEED,  # texture offset
    SWING,  # gait of a walker in [-1, 1], or where reflections lie on a car
    FLIP,  # 1: drawn mirrored; for a car's end: its front
    GLOW,  # light that lamps and windows give off themselves
    NUM_COLUMNS,
) = range(16)

(
    FOCAL,  # pixels
    CENTER_X,  # pixels: where the direction of travel meets the image
    CENTER_Y,
    ROLL,  # radians, small
    CAMERA_HEIGHT,  # metres
    CAMERA_X,  # metres right of the lane's centre
    CAMERA_Z,  # metres travelled
    NUM_CAMERA,
) = range(8)

(
    ROAD_LEFT,  # metres: left kerb
    ROAD_RIGHT,
    ROAD_ALBEDO,
    ROAD_GRAIN,  # contrast of the asphalt
    MARK_ALBEDO,
    VERGE_ALBEDO,
    VERGE_GRAIN,
    SKY,  # linear light at the horizon
    CLOUDS,  # contrast of the sky
    NUM_GROUND,
) = range(10)

(
    SKY_LIGHT,  # share of full daylight that comes from the sky
    HEADLAMPS,  # light of the camera car's headlamps on white, near the car
    STREET_LAMPS,  # light of a street lamp at this moment on a white road below it
    LAMP_SPACING,  # metres between street lamps
    LIT_WINDOWS,  # light of a lit window
    NUM_LIGHT,
) = range(6)

NEAREST = 0.6
"""Metres: surfaces closer than this are cut."""

FACADE, TREE, POST, SIGN, CAR_END, CAR_SIDE, WALKER, HEDGE, CRATE, NOTHING = range(10)

TILE_SIDE = 64
TILE_MASK = TILE_SIDE - 1
"""The noise tile has 64 x 64 entries, so that it stays in the first-level cache; coordinates wrap by this mask."""
