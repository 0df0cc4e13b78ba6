"""Small modules with the functions of the Object Detection API that matter here, in the forms they are published in.

They train a model of one variable; the calls that write summaries are those of the real ones.
"""

from __future__ import annotations

IMPORTS = """\
import tensorflow as tf


class fields(object):
  class InputDataFields(object):
    image = 'image'


"""

STEP = """\
def eager_train_step(detection_model, features, optimizer, learning_rate, global_step):
  with tf.GradientTape() as tape:
    total_loss = detection_model(features[fields.InputDataFields.image])
  optimizer.apply_gradients(
      zip(tape.gradient(total_loss, detection_model.trainable_variables), detection_model.trainable_variables))
  tf.compat.v2.summary.scalar('learning_rate', learning_rate, step=global_step)
IMAGE  return total_loss


"""

IMAGE = """\
  tf.compat.v2.summary.image(
      name='train_input_images',
      step=global_step,
      data=features[fields.InputDataFields.image],
      max_outputs=3)
"""

LOOP = """\
def train_loop(model, batch, steps, folder, strategy, record_summaries=True, num_steps_per_iteration=1):
  with strategy.scope():
    global_step = tf.compat.v2.Variable(0, trainable=False, dtype=tf.int64)
    optimizer = tf.keras.optimizers.SGD(0.01)
  run = strategy.run if hasattr(strategy, 'run') else strategy.experimental_run_v2
  with tf.compat.v2.summary.create_file_writer(folder).as_default():
    with strategy.scope():
      with tf.compat.v2.summary.record_if(lambda: global_step % num_steps_per_iteration == 0):

        def train_step_fn(features):
IMAGE          return eager_train_step(model, features, optimizer, 0.01, global_step)

        @tf.function
        def dist_train_step(features):
          run(train_step_fn, args=(features,))

        for _ in range(steps):
          dist_train_step({'image': batch})
          global_step.assign_add(1)
"""

IN_LOOP = """\
          if record_summaries:
            tf.compat.v2.summary.image(
                name='train_input_images',
                step=global_step,
                data=features[fields.InputDataFields.image],
                max_outputs=3)
"""

A = IMPORTS + STEP.replace("IMAGE", IMAGE) + LOOP.replace("IMAGE", "")
B = IMPORTS + STEP.replace("IMAGE", "") + LOOP.replace("IMAGE", IN_LOOP)
NONE = IMPORTS + STEP.replace("IMAGE", "") + LOOP.replace("IMAGE", "")
