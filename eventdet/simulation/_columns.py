"""Meaning of the numbers that scene and kernels share: columns of a surface, entries of the camera, materials."""

(
    LATERAL,  # 0: plane of constant depth, 1: of constant sideways distance, 2: upright, at any angle, 3: vehicle
    PLANE,  # metres: depth ahead of the camera, or distance to its right
    START,  # metres: first sideways (depth) coordinate that is drawn
    STOP,  # metres: last one
    ORIGIN,  # metres: where the texture's u is 0
    LENGTH,  # metres along u, uncut
    HEIGHT,  # metres above the ground
    MATERIAL,
    IDENTITY,  # 0: background, else object number
    ALBEDO,  # linear light, 1 is white paper in the scene's own light
    TONE,  # second free number of a material, in [0, 1); 1 more for a walker with a bag, a two-wheeler from its side
    SEED,  # texture offset
    SWING,  # gait of a walker in [-1, 1], or where reflections lie on a car
    FLIP,  # 1: drawn mirrored; for a car's end: its front
    GLOW,  # light that lamps and windows give off themselves
    BASE_X,  # metres: where u is 0 on a plane at an angle; middle of a vehicle's tail
    BASE_Z,
    TURN_X,  # direction of u, of length 1
    TURN_Z,
    FACING,  # cosine between the way to the sun and the way out of the surface, at least 0
    THROWER,  # number among what may throw shadows, which does not shade itself
    NUM_COLUMNS,
) = range(22)

(
    FOCAL,  # pixels
    CENTER_X,  # pixels: where the direction of travel meets the image
    CENTER_Y,
    ROLL,  # radians, small
    CAMERA_HEIGHT,  # metres
    CAMERA_X,  # metres right of the lane's centre
    CAMERA_Z,  # metres travelled
    LENS,  # radial distortion: rays spread by 1 + LENS (r / FOCAL)^2
    HEADING,  # slope of the road where the camera is
    CROSS_START,  # metres along the road: near edge of the next crossing road
    CROSS_STOP,
    BLUR,  # share of a pixel's light that goes to each neighbour along an axis
    VIGNETTE,  # loss of light in the corners, as a share
    YAW_COS,  # of the angle by which the camera looks to the right of the street
    YAW_SIN,
    CROSS_LANE,  # metres along the road: middle of that lane of the crossing road that a turn leads into
    CROSS_SIDE,  # 1 when that lane leads to the right, -1 to the left
    COVER_START,  # metres along the road: where a bridge or a tunnel covers it; no more than COVER_STOP when none does
    COVER_STOP,
    NUM_CAMERA,
) = range(20)

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
    WEAR,  # how worn the road is, in [0, 1]
    SKYLINE,  # height of far roofs over the horizon, as a slope
    NUM_GROUND,
) = range(12)

(
    SKY_LIGHT,  # share of full daylight that comes from the sky
    HEADLAMPS,  # light of the camera car's headlamps on white, near the car
    STREET_LAMPS,  # light of a street lamp at this moment on a white road below it
    LAMP_SPACING,  # metres between street lamps
    LIT_WINDOWS,  # light of a lit window
    SUN,  # light of the sun on a white surface that faces it
    SUN_X,  # direction to the sun, of length 1
    SUN_UP,
    SUN_Z,
    WET,  # how wet the ground is: share of light that it mirrors at a grazing angle
    RAIN,  # number of drops in the air
    NUM_LIGHT,
) = range(12)

OPAQUE = 1.0 / 256.0
"""Share of a pixel below which nothing behind is drawn."""

HAZE_M = 260.0
"""Metres at which only haze is seen."""

NEAREST = 0.6
"""Metres: surfaces closer than this are cut."""

FRONTAL_PLANE, LATERAL_PLANE, ANGLED_PLANE, VEHICLE = range(4)

FACADE, TREE, POST, SIGN, CAR_END, CAR_SIDE, WALKER, HEDGE, CRATE, NOTHING, WIRE, BRIDGE, RIDER, LAMP = range(14)
SIGNALS, WALL, HOUSE, CROWN, PERSON, MOTORBIKE = range(14, 20)

RIDDEN_M = 1.4
"""A motorbike that is higher has a rider."""

COVER_TOP_M = 4.8
"""Height of what covers a road."""

COVER_ASIDE_M = 4.5
"""How far beyond its kerbs the cover of a road stands."""

BEND_LENGTH = 262
"""How far the road's bend is tabled, a metre an entry: as far as the haze lets see."""

TILE_SIDE = 64
TILE_MASK = TILE_SIDE - 1
"""The noise tile has 64 x 64 entries, so that it stays in the first-level cache; coordinates wrap by this mask."""
