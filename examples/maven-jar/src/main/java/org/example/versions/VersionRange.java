package org.example.versions;

/** All versions from one on, up to but without another. */
public final class VersionRange {
    private final Version from;
    private final Version below;

    private VersionRange(Version from, Version below) {
        this.from = from;
        this.below = below;
    }

    /**
     * Reads {@code ^1.2.3} (no breaking change), {@code ~1.2.3} (patches only), or a plain version.
     * Missing numbers are zero.
     */
    public static VersionRange parse(String text) {
        if (text.isEmpty()) {
            throw new IllegalArgumentException("not a range: the text is empty");
        }
        char kind = text.charAt(0);
        if (kind != '^' && kind != '~') {
            Version only = Version.parse(text);
            return new VersionRange(only, Version.of(only.major(), only.minor(), only.patch() + 1));
        }
        Version from = Version.parse(filled(text.substring(1)));
        return new VersionRange(from, kind == '^' ? nextBreaking(from) : nextMinor(from));
    }

    /** Whether the range holds the version. A pre-release must be of the very release it names. */
    public boolean contains(Version version) {
        if (version.isPreRelease() && !sameNumbers(version, from)) {
            return false;
        }
        return version.compareTo(from) >= 0 && version.compareTo(below) < 0;
    }

    private static boolean sameNumbers(Version left, Version right) {
        return left.major() == right.major()
                && left.minor() == right.minor()
                && left.patch() == right.patch();
    }

    private static Version nextBreaking(Version version) {
        if (version.major() > 0) {
            return Version.of(version.major() + 1, 0, 0);
        }
        return version.minor() > 0
                ? nextMinor(version)
                : Version.of(0, 0, version.patch() + 1);
    }

    private static Version nextMinor(Version version) {
        return Version.of(version.major(), version.minor() + 1, 0);
    }

    private static String filled(String text) {
        long dots = text.chars().takeWhile(c -> c != '-' && c != '+').filter(c -> c == '.').count();
        return text + ".0".repeat((int) Math.max(0, 2 - dots));
    }
}
