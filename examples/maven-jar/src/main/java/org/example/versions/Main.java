package org.example.versions;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** Prints the versions given, oldest first. */
public final class Main {
    private static final String USAGE = "usage: versions [--in RANGE] [VERSION...]";

    private Main() {}

    public static void main(String[] arguments) throws IOException {
        try {
            sorted(arguments).forEach(System.out::println);
        } catch (IllegalArgumentException mistake) {
            System.err.println(mistake.getMessage());
            System.err.println(USAGE);
            System.exit(2);
        }
    }

    /** The versions among the arguments, or else those on standard input, within the range. */
    static List<Version> sorted(String[] arguments) throws IOException {
        List<String> words = Arrays.asList(arguments);
        VersionRange range = null;
        if (!words.isEmpty() && words.get(0).equals("--in")) {
            if (words.size() < 2) {
                throw new IllegalArgumentException("--in needs a range");
            }
            range = VersionRange.parse(words.get(1));
            words = words.subList(2, words.size());
        }
        return select(words.isEmpty() ? standardInput() : words, range);
    }

    static List<Version> select(List<String> words, VersionRange range) {
        return words.stream()
                .map(Version::parse)
                .filter(version -> range == null || range.contains(version))
                .sorted()
                .collect(Collectors.toList());
    }

    private static List<String> standardInput() throws IOException {
        try (BufferedReader reader = new BufferedReader(
                new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            return reader.lines()
                    .map(String::trim)
                    .filter(line -> !line.isEmpty())
                    .collect(Collectors.toList());
        }
    }
}
