package org.example.versions;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A semantic version: three numbers, and perhaps a pre-release and build metadata. */
public final class Version implements Comparable<Version> {
    private static final String NUMBER = "(0|[1-9]\\d*)";
    private static final String IDENTIFIER = "(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)";
    private static final Pattern FORM = Pattern.compile(
            NUMBER + "\\." + NUMBER + "\\." + NUMBER
                    + "(?:-(" + IDENTIFIER + "(?:\\." + IDENTIFIER + ")*))?"
                    + "(?:\\+([0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*))?");

    private final long major;
    private final long minor;
    private final long patch;
    private final List<String> preRelease;
    private final String text;

    private Version(long major, long minor, long patch, List<String> preRelease, String text) {
        this.major = major;
        this.minor = minor;
        this.patch = patch;
        this.preRelease = preRelease;
        this.text = text;
    }

    /** A release without pre-release and metadata. */
    public static Version of(long major, long minor, long patch) {
        return new Version(major, minor, patch, List.of(), major + "." + minor + "." + patch);
    }

    /** Reads a version such as {@code 1.4.0-rc.2+20240101}. */
    public static Version parse(String text) {
        Matcher matcher = FORM.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("not a version: " + text);
        }
        String preRelease = matcher.group(4);
        return new Version(
                Long.parseLong(matcher.group(1)),
                Long.parseLong(matcher.group(2)),
                Long.parseLong(matcher.group(3)),
                preRelease == null ? List.of() : List.of(preRelease.split("\\.")),
                text);
    }

    public long major() {
        return major;
    }

    public long minor() {
        return minor;
    }

    public long patch() {
        return patch;
    }

    public boolean isPreRelease() {
        return !preRelease.isEmpty();
    }

    /** Orders by precedence: a pre-release comes before its release, metadata does not count. */
    @Override
    public int compareTo(Version other) {
        int order = Long.compare(major, other.major);
        if (order == 0) {
            order = Long.compare(minor, other.minor);
        }
        if (order == 0) {
            order = Long.compare(patch, other.patch);
        }
        return order == 0 ? comparePreRelease(other) : order;
    }

    private int comparePreRelease(Version other) {
        if (isPreRelease() != other.isPreRelease()) {
            return isPreRelease() ? -1 : 1;
        }
        int shared = Math.min(preRelease.size(), other.preRelease.size());
        for (int i = 0; i < shared; i++) {
            int order = compareIdentifiers(preRelease.get(i), other.preRelease.get(i));
            if (order != 0) {
                return order;
            }
        }
        return Integer.compare(preRelease.size(), other.preRelease.size());
    }

    /** Numbers compare as numbers and come before words. */
    private static int compareIdentifiers(String left, String right) {
        boolean leftIsNumber = left.chars().allMatch(Character::isDigit);
        boolean rightIsNumber = right.chars().allMatch(Character::isDigit);
        if (leftIsNumber && rightIsNumber) {
            return Long.compare(Long.parseLong(left), Long.parseLong(right));
        }
        if (leftIsNumber != rightIsNumber) {
            return leftIsNumber ? -1 : 1;
        }
        return left.compareTo(right);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Version version && compareTo(version) == 0;
    }

    @Override
    public int hashCode() {
        return Long.hashCode(major * 1_000_003 + minor * 1_009 + patch) * 31 + preRelease.hashCode();
    }

    @Override
    public String toString() {
        return text;
    }
}
