from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.sources import Found, list_inputs
from aurl.data.splits import (
    Manifest,
    Piece,
    Place,
    SplitRule,
    assign_splits,
    found_manifests,
    given_manifest,
    normalised_stem,
)
from aurl.utils.errors import CorpusError


def pieces_of(*sources):
    return [Piece(source, f"hash of {source}", number) for number, source in enumerate(sources)]


def assign(pieces, *manifests, seed=0, valid=0.05, test=0.0):
    return assign_splits(pieces, manifests, SplitRule(seed, valid, test))


def manifest(text, folder="set"):
    return Manifest(text, [Place(f"{folder}/")])


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("Yesterday", "yesterday"),
        ("Yesterday (1)", "yesterday"),
        ("yesterday.1", "yesterday 1"),
        ("YESTERDAY_v2", "yesterday"),
        ("yesterday - Copy", "yesterday"),
        ("yesterday - Copy (3)", "yesterday"),
        ("yesterday version 2", "yesterday"),
        ("yesterday v2 (1)", "yesterday"),
        ("Let_it-be", "let it be"),
        ("Sonata op.10", "sonata op 10"),
        ("Suite No.3", "suite no 3"),
        ("ashover10", "ashover10"),
        ("sonata_2", "sonata 2"),
        ("(1)", "1"),
        ("copy", "copy"),
        ("xv2", "xv2"),
        ("...", "..."),
    ],
)
def test_a_stem_loses_the_marks_of_copies(stem, expected):
    assert normalised_stem(stem) == expected


def keys_of(*sources):
    return [assignment.piece_key for assignment in assign(pieces_of(*sources))]


@pytest.mark.parametrize(
    "stem",
    ["001", "Track 3", "mvt1", "2nd movement", "Allegro ma non troppo", "Op.10 No.3", "IV. Menuetto", "Prélude_2"],
)
def test_a_stem_without_a_word_of_its_own_is_a_name_within_its_folder(stem):
    one, other, again = keys_of(f"a/{stem}.mid", f"b/{stem}.mid", f"a/{stem} (1).mid")
    assert one == again != other


def test_a_name_is_one_composition_in_every_folder():
    assert keys_of("a/Yesterday.mid", "b/yesterday (2).mid") == ["yesterday", "yesterday"]
    assert keys_of("a/Für Elise op 59.mid", "b/für_elise-op.59.mid") == ["für elise op 59"] * 2


def test_movements_of_different_works_are_different_compositions():
    assert len({*keys_of(*(f"sonata {work}/mvt{part}.mid" for work in range(8) for part in range(3)))}) == 24


def test_a_numbered_copy_joins_the_file_it_lies_beside():
    names = ["a/help.mid", "a/help_2.mid", "a/help.cl.mid", "a/help.3 (1).mid", "a/girl_2.mid", "b/help.1.mid"]
    assert keys_of(*names) == ["help", "help", "help", "help", "girl 2", "help 1"]
    works = [f"Beethoven Symphony.{number}.mid" for number in (1, 5, 9)]
    assert len({*keys_of(*works)}) == 3
    assert len({*keys_of(*works, "Beethoven Symphony.mid")}) == 1


def test_pieces_of_the_same_notes_are_one_composition():
    pieces = [
        Piece("a.mid", "x", 0),
        Piece("b.mid", "y", 1),
        Piece("c.mid", "x", 2),
        Piece("b (1).mid", "z", 3),
        Piece("d.mid", "z", 4),
    ]
    keys = [assignment.piece_key for assignment in assign(pieces)]
    assert keys == ["a", "b", "a", "b", "b"]


NAME = st.sampled_from(["a", "b", "c", "d", "e"])
PIECES = st.lists(st.builds(Piece, NAME.map("set/{}.mid".format) | NAME.map("{} (1).mid".format), NAME), min_size=1)
ROWS = st.dictionaries(
    NAME, st.tuples(st.sampled_from(["", "k1", "k2"]), st.sampled_from(["", "train", "valid", "test"]))
)


@given(PIECES, ROWS, st.integers(0, 9), st.floats(0, 0.5), st.floats(0, 0.4))
def test_no_composition_lies_in_two_splits(pieces, rows, seed, valid, test):
    text = "path,piece_key,split\n" + "".join(f"{name}.mid,{key},{split}\n" for name, (key, split) in rows.items())
    assigned = assign(pieces, manifest(text), seed=seed, valid=valid, test=test)
    splits, hashes = defaultdict(set), defaultdict(set)
    for piece, assignment in zip(pieces, assigned, strict=True):
        splits[assignment.piece_key].add(assignment.split)
        hashes[piece.note_hash].add(assignment.piece_key)
    assert all(len(each) == 1 for each in [*splits.values(), *hashes.values()])


@given(st.integers(2, 30), st.integers(0, 9), st.floats(0.01, 0.9))
def test_two_compositions_are_enough_for_training_and_validation(count, seed, valid):
    splits = [
        each.split
        for each in assign(pieces_of(*(f"piece {chr(97 + n)}.mid" for n in range(count))), seed=seed, valid=valid)
    ]
    assert {*splits} == {"train", "valid"}


@pytest.mark.parametrize(("count", "valid"), [(1, 0.9), (9, 0.0)])
def test_all_goes_to_training_where_nothing_can_be_held_out(count, valid):
    assert {each.split for each in assign(pieces_of(*(f"p{chr(97 + n)}.mid" for n in range(count))), valid=valid)} == {
        "train"
    }


def test_fractions_are_met_and_depend_on_the_seed():
    pieces = pieces_of(*(f"piece n{n}x.mid" for n in range(2000)))
    splits = [each.split for each in assign(pieces, valid=0.2, test=0.1)]
    assert splits.count("valid") == pytest.approx(400, abs=60)
    assert splits.count("test") == pytest.approx(200, abs=45)
    assert splits != [each.split for each in assign(pieces, seed=1, valid=0.2, test=0.1)]


def test_another_file_leaves_the_others_in_their_splits():
    pieces = pieces_of(*(f"piece n{n}x.mid" for n in range(100)))
    assert assign([*pieces, *pieces_of("new.mid")])[:100] == assign(pieces)


def test_a_manifest_decides_and_tells():
    text = "path,split,piece_key,composer,key\n./a.mid,Validation,k,Bach,C\nb.mid,train,,,\n"
    a, b, c = assign(pieces_of("set/a.mid", "set/b.mid", "set/c.mid"), manifest(text), valid=0)
    assert (a.piece_key, a.split, a.metadata) == ("k", "valid", {"composer": "Bach", "key": "C"})
    assert (b.piece_key, b.split, b.metadata) == ("set/b", "train", {})
    assert (c.piece_key, c.split) == ("c", "train")


def test_a_version_beside_a_listed_file_goes_where_that_goes():
    text = "path,split,piece_key,title,duration_s\n001.mid,valid,song-1,Name,10\nd/002.mid,valid,,,\n"
    sources = ["set/001.mid", "set/001.cl.mid", "set/001 (2).mid", "set/d/002.cl.mid", "set/003.mid"]
    assigned = assign(pieces_of(*sources), manifest(text), valid=0)
    assert [each.split for each in assigned] == ["valid"] * 4 + ["train"]
    assert [each.piece_key for each in assigned[:3]] == ["song-1"] * 3
    assert assigned[1].metadata == {"title": "Name"}


def test_a_file_that_a_manifest_places_is_joined_by_name_in_its_folder_only():
    rows = "".join(f"{folder}/Yesterday.mid,{'test' if folder == 'a' else 'train'}\n" for folder in "abcdef")
    sources = [f"set/{folder}/Yesterday.mid" for folder in "abcdef"]
    copies = [Piece("set/a/yesterday (1).mid", "other notes", -1), Piece("set/other.mid", f"hash of {sources[1]}", -2)]
    assigned = assign([*pieces_of(*sources), *copies], manifest(f"path,split\n{rows}"))
    assert [each.split for each in assigned] == ["test", *["train"] * 5, "test", "train"]
    assert len({each.piece_key for each in assigned}) == 6


def test_a_composition_in_two_splits_of_a_manifest_is_held_out_whole():
    text = "path,split\na.mid,train\nb.mid,valid\nc.mid,test\nd.mid,extra\ne.mid,train\n"
    named = enumerate(["a1", "b1", "c2", "b2", "d3", "e3"])
    pieces = [Piece(f"set/{name}.mid", notes, number) for number, (name, notes) in named]
    assert [each.split for each in assign(pieces, manifest(text))] == ["test"] * 4 + ["extra"] * 2


def test_the_innermost_manifest_that_lists_a_file_counts():
    contents = {"set": b"path,split\nd/a.mid,train\nd/b.mid,test\n", "set/d": b"path,split\na.mid,valid\n"}
    manifests, failures = found_manifests(contents)
    assert [each.split for each in assign(pieces_of("set/d/a.mid", "set/d/b.mid"), *manifests)] == ["valid", "test"]
    assert failures == []


@pytest.mark.parametrize("content", [b"name,split\na.mid,train\n", b"", b"path\n\xff\n", b'path\n"' + b"x" * 200_000])
def test_a_csv_that_is_no_manifest_is_reported(content):
    manifests, failures = found_manifests({"set": content})
    assert manifests == []
    assert failures[0].source == "set/manifest.csv"
    with pytest.raises(CorpusError, match="manifest"):
        Manifest.parse(content, [])


def listed(manifest, *sources):
    return [source for source in sources if manifest.find(source)]


def test_a_manifest_given_by_hand_is_relative_to_its_folder(folder, tmp_path):
    root = folder({"d/a.mid": 1, "b.mid": 2, "top.csv": b"path\nd/a.mid\n", "d/low.csv": b"path\na.mid\n"})
    sources = ["music/d/a.mid", "music/b.mid"]
    for name, path in [("top.csv", root), ("d/low.csv", root)]:
        assert listed(given_manifest(root / name, list_inputs([path], Found())), *sources) == ["music/d/a.mid"]
    assert listed(given_manifest(root / "top.csv", list_inputs([root / "d"], Found())), "d/a.mid") == ["d/a.mid"]
    assert listed(given_manifest(root / "top.csv", list_inputs([root / "d" / "a.mid"], Found())), "a.mid") == ["a.mid"]


def test_a_manifest_from_elsewhere_is_relative_to_the_input(folder, tmp_path):
    root = folder({"d/a.mid": 1, "x.zip": b"", "y.mid": 2})
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "list.csv"
    path.write_text("path\nd/a.mid\ny.mid\n")
    inputs = list_inputs([root, root / "y.mid"], Found())
    sources = ["music/d/a.mid", "music/x.zip/d/a.mid", "music/x.zip/top/d/a.mid", "y.mid"]
    assert listed(given_manifest(path, inputs), *sources, "music/x.zip/one/two/d/a.mid", "other/d/a.mid") == sources


def test_a_missing_manifest_is_an_error(tmp_path, folder):
    with pytest.raises(CorpusError, match="cannot read the manifest"):
        given_manifest(tmp_path / "none.csv", list_inputs([folder({"a.mid": 1})], Found()))


def test_near_duplicates_are_one_composition_even_across_the_splits_of_a_manifest():
    pieces = [Piece("set/song.mid", "x", 1), Piece("set/in g.mid", "y", 1), Piece("set/another.mid", "z", 2)]
    listed = manifest("path,split\nsong.mid,train\nin g.mid,test\nanother.mid,train\n")
    first, copy, other = assign(pieces, listed)
    assert (first.split, copy.split, other.split) == ("test", "test", "train")
    assert first.piece_key == copy.piece_key != other.piece_key
    assert [each.cluster for each in (first, copy, other)] == [1, 1, 2]


def test_a_sharp_in_a_name_is_no_tune_of_a_book():
    assert len(set(keys_of("a/Prelude in C# minor.mid", "b/prelude in c# minor.mid"))) == 1


def test_the_tunes_of_a_book_are_compositions_of_their_own():
    keys = keys_of("a/jigs.abc#1", "a/jigs.abc#2", "b/jigs.abc#2", "a/jigs.mid")
    assert len(set(keys)) == 4
