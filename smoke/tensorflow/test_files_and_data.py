"""Input pipelines, and the files that TensorFlow reads and writes."""

import glob
import os
import sqlite3
import struct
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import build_info
import known
from reference import assert_equal, assert_within, noise


def all_of(session, dataset):
    following = tf.compat.v1.data.make_one_shot_iterator(dataset).get_next()
    found = []
    while True:
        try:
            found.append(session.run(following))
        except tf.errors.OutOfRangeError:
            return found


def masked_crc32c(data):
    """The checksum of a TFRecord, by its definition."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_records_are_written_by_the_format(tmp_path):
    path, records = str(tmp_path / "records"), [b"kiln", b"", bytes(range(256))]
    with tf.io.TFRecordWriter(path) as writer:
        for each in records:
            writer.write(each)
    expected = b""
    for each in records:
        length = struct.pack("<Q", len(each))
        expected += (
            length + struct.pack("<I", masked_crc32c(length)) + each + struct.pack("<I", masked_crc32c(each))
        )
    with open(path, "rb") as file:
        assert file.read() == expected


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_records_are_read_back_and_parsed(session, tmp_path, compression):
    paths = [str(tmp_path / name) for name in ("one", "two")]
    for number, path in enumerate(paths):
        with tf.io.TFRecordWriter(path, compression) as writer:
            for index in range(5):
                feature = {
                    "index": tf.train.Feature(int64_list=tf.train.Int64List(value=[10 * number + index])),
                    "values": tf.train.Feature(float_list=tf.train.FloatList(value=[index, 0.5])),
                    "words": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"] * index)),
                }
                writer.write(
                    tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
                )
    kinds = {
        "index": tf.io.FixedLenFeature([], tf.int64),
        "values": tf.io.FixedLenFeature([2], tf.float32),
        "words": tf.io.VarLenFeature(tf.string),
    }
    dataset = tf.data.TFRecordDataset(paths, compression).map(
        lambda each: tf.io.parse_single_example(each, kinds)
    )
    found = all_of(session, dataset)
    assert [each["index"] for each in found] == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
    assert [len(each["words"].values) for each in found] == 2 * [0, 1, 2, 3, 4]
    assert_equal([each["values"] for each in found], 2 * [[index, 0.5] for index in range(5)])


def test_damaged_record_is_told(session, tmp_path):
    path = str(tmp_path / "records")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"kiln" * 10)
    with open(path, "r+b") as file:
        file.seek(20)
        file.write(b"!")
    with pytest.raises(tf.errors.DataLossError, match="corrupted record"):
        all_of(session, tf.data.TFRecordDataset(path))


def test_database_is_queried(session, tmp_path):
    path = str(tmp_path / "clay.db")
    with sqlite3.connect(path) as database:
        database.execute("create table firing (name text, cone integer, hours real)")
        database.executemany("insert into firing values (?, ?, ?)", [("bisque", 4, 8.5), ("glaze", 10, 12.0)])
    database.close()
    query = "select name, cone, hours from firing order by hours desc"
    dataset = tf.data.experimental.SqlDataset("sqlite", path, query, (tf.string, tf.int32, tf.float64))
    assert all_of(session, dataset) == [(b"glaze", 10, 12.0), (b"bisque", 4, 8.5)]


def test_lines_of_text_and_of_numbers(session, tmp_path):
    path = str(tmp_path / "table.csv")
    with open(path, "w") as file:
        file.write("a,b\n1,2.5\n3,\n")
    assert all_of(session, tf.data.TextLineDataset(path).skip(1)) == [b"1,2.5", b"3,"]
    dataset = tf.data.experimental.CsvDataset(path, [tf.int32, tf.constant([-1.0])], header=True)
    assert all_of(session, dataset) == [(1, 2.5), (3, -1.0)]


def test_pipeline_keeps_its_order_in_parallel(session):
    dataset = (
        tf.data.Dataset.range(100).map(lambda x: x * x, num_parallel_calls=4).filter(lambda x: x % 2 < 1)
    )
    batches = all_of(session, dataset.batch(8).prefetch(2))
    assert [len(batch) for batch in batches] == [8] * 6 + [2]
    assert_equal(np.concatenate(batches), np.arange(0, 100, 2) ** 2)


def test_shuffling_is_repeated_by_its_seed(session):
    dataset = tf.data.Dataset.range(50).shuffle(50, seed=3, reshuffle_each_iteration=False)
    once, twice = (all_of(session, dataset) for _ in range(2))
    assert once == twice and once != sorted(once) and sorted(once) == list(range(50))


def test_datasets_are_combined(session):
    numbers = tf.data.Dataset.from_tensor_slices(np.arange(6))
    windows = numbers.window(4, shift=2, drop_remainder=True).flat_map(lambda window: window.batch(4))
    assert_equal(all_of(session, windows), [[0, 1, 2, 3], [2, 3, 4, 5]])
    assert all_of(session, tf.data.Dataset.zip((numbers, numbers.skip(3)))) == [(0, 3), (1, 4), (2, 5)]
    inner = numbers.take(2).interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(2), cycle_length=2)
    assert all_of(session, inner) == [0, 1, 0, 1]
    ragged = tf.data.Dataset.from_generator(lambda: ([1] * n for n in (1, 3)), tf.int32, [None])
    assert all_of(session, ragged.padded_batch(2, [None]))[0].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert session.run(numbers.reduce(np.int64(0), lambda total, each: total + each)) == 15


def test_files_through_the_file_system_of_tensorflow(tmp_path):
    folder = str(tmp_path / "deep" / "er")
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(os.path.join(folder, "note"), "w") as file:
        file.write("für\n")
    with tf.io.gfile.GFile(os.path.join(folder, "note")) as file:
        assert file.read() == "für\n"
    assert tf.io.gfile.glob(str(tmp_path / "*" / "er" / "no*")) == [os.path.join(folder, "note")]
    tf.io.gfile.rmtree(str(tmp_path / "deep"))
    assert not tf.io.gfile.exists(folder)


def test_checkpoint_is_restored(graph, session, tmp_path):
    values = {"small": noise(3), "large": noise(100, 50, dtype=np.float64), "whole": np.arange(5)}
    variables = [tf.compat.v1.get_variable(name, initializer=value) for name, value in sorted(values.items())]
    saver = tf.compat.v1.train.Saver()
    session.run(tf.compat.v1.global_variables_initializer())
    path = saver.save(session, str(tmp_path / "model"), global_step=7)
    assert tf.train.latest_checkpoint(str(tmp_path)) == path
    session.run([each.assign(tf.zeros_like(each)) for each in variables])
    saver.restore(session, path)
    for variable in variables:
        assert_equal(session.run(variable), values[variable.op.name])
    reader = tf.train.load_checkpoint(path)
    assert_equal(reader.get_tensor("large"), values["large"])
    assert dict(tf.train.list_variables(path)) == {"small": [3], "large": [100, 50], "whole": [5]}


def test_objects_are_restored_by_their_structure(session, tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(2,))])
    tf.compat.v1.keras.backend.set_session(session)
    weights = [noise(2, 3), noise(3, seed=1)]
    model.set_weights(weights)
    path = tf.train.Checkpoint(model=model).save(str(tmp_path / "objects"), session=session)
    model.set_weights([np.zeros_like(weight) for weight in weights])
    tf.train.Checkpoint(model=model).restore(path).assert_consumed().run_restore_ops(session)
    for found, weight in zip(model.get_weights(), weights):
        assert_equal(found, weight)


def small_model():
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3)),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.GlobalMaxPooling2D(),
            tf.keras.layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy")
    return model


CONVERT = """
import sys
import tensorflow as tf
model, path, quantised = sys.argv[1:]
converter = tf.compat.v1.lite.TFLiteConverter.from_keras_model_file(model)
if quantised:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
with open(path, "wb") as file:
    file.write(converter.convert())
"""
ANSWER = """
import sys
import numpy as np
import tensorflow as tf
path, given, taken = sys.argv[1:]
x = np.load(given)
if path.endswith(".h5"):
    y = tf.keras.models.load_model(path).predict(x)
elif path.endswith(".tflite"):
    interpreter = tf.lite.Interpreter(path)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
else:
    with tf.compat.v1.Session() as session:
        signature = tf.compat.v1.saved_model.load(session, ["serve"], path).signature_def["serving_default"]
        y = session.run(signature.outputs["y"].name, {signature.inputs["x"].name: x})
np.save(taken, y)
"""


def fresh(program, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", program, *arguments]
    # The converter to tf.lite calls a program of the wheel by its name.
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        command, env=dict(os.environ, PATH=path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout.decode()[-3000:]


def test_model_is_loaded_in_a_fresh_process(session, tmp_path):
    tf.compat.v1.keras.backend.set_session(session)
    model, x = small_model(), noise(3, 8, 8, 3)
    model.train_on_batch(x, np.eye(5)[[0, 1, 4]])
    expected, given = model.predict(x), str(tmp_path / "x.npy")
    np.save(given, x)
    h5, saved, lite = (str(tmp_path / name) for name in ("model.h5", "model", "model.tflite"))
    model.save(h5)
    tf.compat.v1.saved_model.simple_save(session, saved, {"x": model.input}, {"y": model.output})
    written = [(h5, 0), (saved, 1e-6)]
    if build_info.has_lite():
        fresh(CONVERT, h5, lite, "")
        written.append((lite, 1e-5))
    for path, tolerance in written:
        taken = str(tmp_path / "y.npy")
        fresh(ANSWER, path, given, taken)
        assert_within(np.load(taken), expected, tolerance)


def test_optimizer_goes_on_where_the_saved_model_stopped(session, tmp_path):
    tf.compat.v1.keras.backend.set_session(session)
    x, y = noise(6, 8, 8, 3), np.eye(5)[[0, 1, 2, 3, 4, 0]]
    model = small_model()
    model.fit(x, y, epochs=2, verbose=0)
    model.save(str(tmp_path / "model.h5"))
    again = tf.keras.models.load_model(str(tmp_path / "model.h5"))
    for each in (model, again):
        each.fit(x, y, epochs=1, verbose=0, shuffle=False)
    for one, other in zip(model.get_weights(), again.get_weights()):
        assert_within(one, other, 1e-6)


def test_quantised_model_is_smaller_and_near_the_exact_one(session, tmp_path):
    if not build_info.has_lite():
        pytest.skip("this line of TensorFlow has no TensorFlow Lite")
    tf.compat.v1.keras.backend.set_session(session)
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(64, input_shape=(64,)), tf.keras.layers.Dense(8, "tanh")]
    )
    h5, lite, small, given, taken = (
        str(tmp_path / name) for name in ("m.h5", "m.tflite", "s.tflite", "x.npy", "y.npy")
    )
    model.save(h5)
    np.save(given, noise(5, 64))
    fresh(CONVERT, h5, lite, "")
    fresh(CONVERT, h5, small, "quantised")
    assert os.path.getsize(small) < 0.4 * os.path.getsize(lite)
    fresh(ANSWER, small, given, taken)
    assert_within(np.load(taken), model.predict(noise(5, 64)), 0.1)


def test_graph_is_frozen_and_imported(session):
    x = tf.compat.v1.placeholder(tf.float32, [None, 2], "x")
    w = tf.compat.v1.get_variable("w", initializer=noise(2, 3))
    tf.matmul(x, w, name="y")
    session.run(w.initializer)
    frozen = tf.compat.v1.graph_util.convert_variables_to_constants(session, session.graph_def, ["y"])
    with tf.Graph().as_default(), tf.compat.v1.Session() as other:
        again = tf.compat.v1.GraphDef.FromString(frozen.SerializeToString())
        (y,) = tf.import_graph_def(again, return_elements=["y:0"], name="")
        assert_within(other.run(y, {"x:0": np.eye(2)}), noise(2, 3), 1e-7)


def test_events_are_written(session, tmp_path):
    writer = tf.compat.v1.summary.FileWriter(str(tmp_path), session.graph)
    for step in range(3):
        writer.add_summary(session.run(tf.compat.v1.summary.scalar("loss", 1.5 * step)), step)
    writer.close()
    (path,) = glob.glob(str(tmp_path / "events.out.tfevents.*"))
    events = list(tf.compat.v1.train.summary_iterator(path))
    found = [(event.step, value.simple_value) for event in events for value in event.summary.value]
    assert found == [(0, 0), (1, 1.5), (2, 3.0)]
    assert any(event.graph_def for event in events)


def in_the_wheel(part):
    """Whether the build was asked for a part that needs externals of its own."""
    return known.asked_for("KILN_OPT_" + part.upper()) == "1"


@pytest.mark.parametrize(
    "part, name",
    [("gcp", "gs://"), ("aws", "s3://"), ("hdfs", "hdfs://host/file")],
    ids=["gcp", "aws", "hdfs"],
)
def test_a_file_system_is_there_where_it_was_asked_for(part, name):
    """Each refuses these names before it asks a network: they have no bucket, and hdfs has no libhdfs.so."""
    with pytest.raises(tf.errors.OpError) as refused:
        tf.io.gfile.stat(name)
    assert isinstance(refused.value, tf.errors.UnimplementedError) != in_the_wheel(part), str(refused.value)


# In a process of its own: it loads all of contrib, whose libraries would stay in this one.
SOURCE = """
import tensorflow as tf
from tensorflow.contrib.{module} import {name}
rows = tf.compat.v1.data.make_initializable_iterator({name}({arguments}))
with tf.compat.v1.Session() as session:
    session.run(rows.initializer)
print("made")
"""


@pytest.mark.parametrize(
    "part, module, name, arguments",
    [
        ("kafka", "kafka", "KafkaDataset", "['topic:0:0:1']"),
        ("aws", "kinesis", "KinesisDataset", "'stream', 'shard', read_indefinitely=False"),
    ],
    ids=["kafka", "kinesis"],
)
def test_a_data_source_has_its_kernel_where_it_was_asked_for(part, module, name, arguments):
    if not in_the_wheel(part):
        pytest.skip("the wheel was built without it (--no-{})".format(part))
    program = SOURCE.format(module=module, name=name, arguments=arguments)
    ended = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert ended.stdout.decode().endswith("made\n"), ended.stderr.decode(errors="replace")[-2000:]
